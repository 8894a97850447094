/**
 * The alternative: Renovate's own `apk` datasource and its extraction from Dockerfiles, with the virtual index. Alone,
 * it "neither verifies nor intersects nor knows provides" (§0); the virtual index adds all three.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { testKey } from '../support/signed-index.ts';
import { misbehave, published, startBeacon } from './support/beacon.ts';
import { allowInternal } from './support/preset.ts';
import { lookUp } from './support/run.ts';

const wolfi = [
  published('curl=8.19.0-r0'),
  published('curl=8.20.0-r1', { fields: { U: 'https://curl.se/' } }),
  published('curl=8.21.0-r0', { archs: ['x86_64'] }),
  published('kubectl-1.34=1.34.9-r0', { fields: { p: 'kubectl=1.34' } }),
  published('kubectl-1.35=1.35.4-r0', { fields: { p: 'kubectl=1.35' } }),
];
const files = {
  Dockerfile: 'FROM cgr.dev/chainguard/wolfi-base\nRUN apk add --no-cache curl=8.19.0-r0 kubectl=1.34\n',
};

/** As in docs/renovate.md. */
const configuration = (url: string): string =>
  JSON.stringify({
    packageRules: [
      {
        matchManagers: ['dockerfile'],
        matchDatasources: ['apk'],
        overrideDatasource: 'apk',
        registryUrls: [`${url}/wolfi?arch=any`],
      },
    ],
  });

describe("Renovate's own apk datasource", () => {
  test('proposes from the virtual index what every arch has, provided names among it', async () => {
    await using beacon = await startBeacon({ datasources: { wolfi } });
    const report = await lookUp({
      files: { ...files, 'renovate.json': configuration(beacon.url) },
      environment: allowInternal(beacon.url),
    });
    const found = report.dependencies
      .get('Dockerfile')
      ?.filter(({ datasource }) => datasource === 'apk')
      .map(({ depName, updates, homepage }) => [depName, updates.map(({ newValue }) => newValue), homepage]);
    expect(found).toEqual([
      ['curl', ['8.20.0-r1'], 'https://curl.se/'],
      ['kubectl', ['1.35'], undefined],
    ]);
  });

  test('aborts the run while nothing is loaded ("429/5xx -> ExternalHostError", §0)', async () => {
    await using beacon = await startBeacon({
      datasources: { wolfi },
      config: { hold: '10ms' },
      before: (upstreams) =>
        misbehave(upstreams['wolfi'], (_request, response) => response.writeHead(503).end()),
    });
    const report = await lookUp({
      files: { ...files, 'renovate.json': configuration(beacon.url) },
      environment: { ...allowInternal(beacon.url), RENOVATE_HOST_RULES: abortAtOnce(beacon.url) },
    });
    expect(report.log.some(({ msg }) => msg.startsWith('Repository result: external-host-error'))).toBe(true);
  });
});

/** Without waiting for the time that the service asks for. */
function abortAtOnce(url: string): string {
  return JSON.stringify([{ matchHost: `${url}/`, allowInternal: true, maxRetryAfter: 1 }]);
}

const apko = join(process.env['GOPATH'] ?? join(process.env['HOME'] ?? '', 'go'), 'bin', 'apko');
const hasApko = existsSync(apko);
if (!hasApko) {
  process.stderr.write('skipped: apko on the virtual index; go install chainguard.dev/apko@v1.2.39\n');
}

test.skipIf(!hasApko)('apko verifies and resolves by the signed virtual index', async () => {
  const key = testKey('beacon.rsa.pub');
  await using beacon = await startBeacon({
    datasources: { wolfi },
    config: { signingKey: { name: key.name, key: { env: 'SIGNING_KEY' } } },
    environment: { SIGNING_KEY: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() },
  });
  const folder = await mkdtemp(join(tmpdir(), 'apk-beacon-apko-'));
  try {
    const keyFile = join(folder, key.name);
    await writeFile(keyFile, key.pem);
    await writeFile(
      join(folder, 'image.yaml'),
      JSON.stringify({
        contents: {
          repositories: [`${beacon.url}/wolfi`],
          keyring: [keyFile],
          packages: ['curl', 'kubectl=1.35'],
        },
        archs: ['aarch64'],
      }),
    );
    const { stdout } = await promisify(execFile)(apko, ['show-packages', 'image.yaml', '--arch', 'aarch64'], {
      cwd: folder,
      env: { HOME: folder, PATH: process.env['PATH'] ?? '' },
    });
    expect(stdout.trim().split('\n')).toEqual(['curl 8.20.0-r1', 'kubectl 1.35']);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
