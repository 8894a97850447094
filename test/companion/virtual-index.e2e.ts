/** apko installs what the signed virtual index offers: what both archs have, and provides by their own versions. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { published, startBeacon } from '../renovate/support/beacon.ts';
import { testKey } from '../support/signed-index.ts';
import { describeWith, environment, temporaryFolder } from './tools.ts';

describeWith(['apko'], 'the virtual index', () => {
  it('is verified and resolved by apko', async () => {
    const key = testKey('beacon.rsa.pub');
    await using beacon = await startBeacon({
      datasources: {
        wolfi: [
          published('curl=8.19.0-r0'),
          published('curl=8.20.0-r1'),
          published('curl=8.21.0-r0', { archs: ['x86_64'] }),
          published('kubectl-1.34=1.34.9-r0', { fields: { p: 'kubectl=1.34' } }),
          published('kubectl-1.35=1.35.4-r0', { fields: { p: 'kubectl=1.35' } }),
        ],
      },
      config: { signingKey: { name: key.name, key: { env: 'SIGNING_KEY' } } },
      environment: { SIGNING_KEY: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() },
    });
    const cwd = temporaryFolder();
    const keyFile = join(cwd, key.name);
    writeFileSync(keyFile, key.pem);
    const contents = {
      repositories: [`${beacon.url}/wolfi`],
      keyring: [keyFile],
      packages: ['curl', 'kubectl=1.35'],
    };
    writeFileSync(join(cwd, 'image.yaml'), JSON.stringify({ contents, archs: ['aarch64'] }));
    const show = ['show-packages', 'image.yaml', '--arch', 'aarch64'];
    const { stdout } = await promisify(execFile)('apko', show, { cwd, env: { ...environment, HOME: cwd } });
    expect(stdout.trim().split('\n')).toEqual(['curl 8.20.0-r1', 'kubectl 1.35']);
  });
});
