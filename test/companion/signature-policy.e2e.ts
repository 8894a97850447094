/**
 * The signature policy of docs/companion.md, applied by skopeo, which bootc uses to fetch. Signatures are made here in
 * cosign's form: cosign itself is not in Debian.
 */
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

import { describeWith, environment, temporaryFolder } from './tools.ts';

const page = readFileSync('docs/companion.md', 'utf8');

/** The block below the line that names the file. */
const fileOf = (path: string) =>
  new RegExp(`^\`${path.replaceAll('.', '\\.')}\`:?\n\n\`\`\`\\w+\n([^]*?)^\`\`\``, 'm').exec(page)?.[1] ??
  '';

const digestOf = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

describeWith(['skopeo'], 'a host that accepts only signed images', () => {
  it.each([
    ['takes an image that its key signed', 'own', 'hosts/containerd', undefined],
    ['refuses one that nobody signed', undefined, 'hosts/containerd', /signature was required/],
    ['refuses one that another key signed', 'other', 'hosts/containerd', /invalid signature/],
    ['refuses the signature of another image', 'own', 'hosts/niri', /is not accepted/],
    ['takes images of other repositories as before', undefined, 'elsewhere', undefined],
  ])('%s', async (_what, signer, signed, problem) => {
    const keys = { own: generateKeyPairSync('ec', curve), other: generateKeyPairSync('ec', curve) };
    await using registry = await openRegistry();
    const repository = signed.replace('niri', 'containerd');
    const image = registry.push(repository, 'latest', Buffer.from('{}'), {});
    if (signer !== undefined)
      signWith(keys[signer as 'own'].privateKey, registry, repository, `${registry.host}/${signed}`, image);

    const root = temporaryFolder();
    const keyPath = join(root, 'key.pub');
    writeFileSync(keyPath, keys.own.publicKey.export({ type: 'spki', format: 'pem' }));
    for (const path of ['/etc/containers/policy.json', '/etc/containers/registries.d/hosts.yaml']) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      const text = fileOf(path).replaceAll('registry.example.org', registry.host);
      writeFileSync(join(root, path), text.replace(/"keyPath": ".*"/, `"keyPath": "${keyPath}"`));
    }
    const etc = join(root, 'etc/containers');
    const pulled = promisify(execFile)(
      'skopeo',
      [
        ...['--policy', join(etc, 'policy.json'), '--registries.d', join(etc, 'registries.d'), 'copy'],
        ...['--src-tls-verify=false', '--remove-signatures'],
        ...[`docker://${registry.host}/${repository}:latest`, `oci:${join(root, 'pulled')}`],
      ],
      { env: environment },
    );
    await (problem === undefined ? pulled : expect(pulled).rejects.toThrow(problem));
  });
});

const curve = { namedCurve: 'P-256' } as const;

type Registry = Awaited<ReturnType<typeof openRegistry>>;

/** As `cosign sign`: a manifest beside the image, whose layer says what was signed. Its reference has no tag. */
function signWith(key: KeyObject, registry: Registry, repository: string, signed: string, digest: string) {
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': signed },
        image: { 'docker-manifest-digest': digest },
        type: 'cosign container image signature',
      },
      optional: null,
    }),
  );
  registry.push(repository, `${digest.replace(':', '-')}.sig`, payload, {
    'dev.cosignproject.cosign/signature': sign('sha256', payload, key).toString('base64'),
  });
}

/** A registry in memory. Images have one layer. */
async function openRegistry() {
  const files = new Map<string, Buffer>();
  const server = createServer(({ url = '' }, response) => {
    const file = files.get(url);
    if (file === undefined) return void response.writeHead(url === '/v2/' ? 200 : 404).end();
    const type = url.includes('/manifests/') ? `${oci}.manifest.v1+json` : 'application/octet-stream';
    response.writeHead(200, { 'content-type': type, 'content-length': file.length }).end(file);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const add = (path: string, mediaType: string, bytes: Buffer) => {
    files.set(`${path}/${digestOf(bytes)}`, bytes);
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  };
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Returns the digest. */
    push(repository: string, tag: string, layer: Buffer, annotations: Readonly<Record<string, string>>) {
      const blobs = `/v2/${repository}/blobs`;
      const rootfs = { type: 'layers', diff_ids: [digestOf(layer)] };
      const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs }));
      const isSignature = tag.endsWith('.sig');
      const layerType = isSignature
        ? 'application/vnd.dev.cosign.simplesigning.v1+json'
        : `${oci}.layer.v1.tar`;
      const manifest = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: `${oci}.manifest.v1+json`,
          config: add(blobs, `${oci}.config.v1+json`, config),
          layers: [{ ...add(blobs, layerType, layer), annotations }],
        }),
      );
      files.set(`/v2/${repository}/manifests/${tag}`, manifest);
      return add(`/v2/${repository}/manifests`, '', manifest).digest;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

const oci = 'application/vnd.oci.image';
