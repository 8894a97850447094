/**
 * The cost of an update for a host: skopeo, which bootc uses to fetch, pulls two versions of an image from a registry
 * that records the requested blobs.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { LayoutRegistry } from '../boot/registry.ts';
import { standIn } from './stand-ins.ts';
import { describeWith, environment, makeFolder } from './tools.ts';
import { openWorkshop, readLayout, workshopTools, type Workshop } from './workshop.ts';

describeWith([...workshopTools, 'skopeo'], 'an update from a registry', () => {
  const folder = makeFolder();
  let workshop: Workshop;
  beforeAll(async () => {
    workshop = await openWorkshop(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const containerd = (pin: string) => ({
    'containerd.yaml': `${readFileSync('images/containerd.yaml', 'utf8').replace(/containerd=\S+/, pin)}\narchs: [x86_64]\n`,
  });

  it('is the layer of what was raised and the top one', { timeout: 300_000 }, async () => {
    const first = await workshop.layOut('containerd', { definitions: containerd('containerd=2.3.4-r5') });
    const second = await workshop.layOut('containerd', {
      definitions: containerd('containerd=2.3.5-r0'),
      extraPackages: [standIn('containerd', '2.3.5-r0', 'x86_64')],
    });
    await using registry = await LayoutRegistry.open();
    const blobs = join(folder, 'blobs');
    mkdirSync(blobs);
    // Not synchronously: the registry answers in this process.
    const pull = (target: string) =>
      promisify(execFile)(
        'skopeo',
        [
          ...[
            'copy',
            '--quiet',
            '--insecure-policy',
            '--src-tls-verify=false',
            '--dest-shared-blob-dir',
            blobs,
          ],
          ...[`docker://127.0.0.1:${registry.port}/containerd:latest`, `oci:${join(folder, target)}:latest`],
        ],
        { env: environment },
      );
    registry.serve('containerd', first);
    await pull('first');
    const layersOf = (layout: string) =>
      readLayout(layout)
        .get('amd64')
        ?.layers.map(({ digest }) => digest) ?? [];
    expect(registry.fetched.map(({ digest }) => digest)).toEqual(expect.arrayContaining(layersOf(first)));

    registry.fetched.length = 0;
    registry.serve('containerd', second);
    await pull('second');
    const layers = new Set(layersOf(second));
    const fetched = registry.fetched.filter(({ digest }) => layers.has(digest));
    expect(fetched.map(({ digest }) => digest).toSorted()).toEqual(
      layersOf(second)
        .filter((digest) => !layersOf(first).includes(digest))
        .toSorted(),
    );
    expect(fetched).toHaveLength(2);
  });
});
