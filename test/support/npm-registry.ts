/** As much of an npm registry as npm needs to publish a package and to install it. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

interface Packument {
  readonly name: string;
  readonly versions: Record<
    string,
    { readonly dist: { readonly tarball: string } } & Record<string, unknown>
  >;
  readonly 'dist-tags': Record<string, string>;
  readonly _attachments?: Record<string, { readonly data: string }>;
}

export interface NpmRegistry extends AsyncDisposable {
  readonly url: string;
  /** What was published of a package. */
  readonly package: (name: string) => Packument | undefined;
  /** How often something was published. */
  readonly publications: () => number;
}

export async function startNpmRegistry(): Promise<NpmRegistry> {
  const packages = new Map<string, Packument>();
  const tarballs = new Map<string, Buffer>();
  let publications = 0;
  const server = createServer((request, response) => {
    void (async () => {
      const [name = '', ...rest] = (request.url ?? '').slice(1).split('/').map(decodeURIComponent);
      const answer = (status: number, body: unknown): unknown => {
        response.writeHead(status, { 'content-type': 'application/json' });
        return response.end(Buffer.isBuffer(body) ? body : JSON.stringify(body));
      };
      if (request.method === 'PUT') {
        const { _attachments = {}, ...published } = (await json(request)) as Packument;
        const known = packages.get(name);
        if (Object.keys(published.versions).some((version) => known?.versions[version]))
          return answer(403, { error: 'cannot publish over a version' });
        publications += 1;
        for (const [file, { data }] of Object.entries(_attachments))
          tarballs.set(file, Buffer.from(data, 'base64'));
        packages.set(name, {
          ...published,
          versions: { ...known?.versions, ...published.versions },
          'dist-tags': { ...known?.['dist-tags'], ...published['dist-tags'] },
        });
        return answer(201, { ok: true });
      }
      const found = rest[0] === '-' ? tarballs.get(rest[1] ?? '') : packages.get(name);
      return answer(found === undefined ? 404 : 200, found ?? { error: 'not found' });
    })().catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    package: (name) => packages.get(name),
    publications: () => publications,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
