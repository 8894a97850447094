/** A repository: `upstream.ts SET FOLDER ARCH…` serves one version of a set of indexes, and on request the other. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { archs, type Version } from '../indexes.ts';

const [set = '', folder = '', ...wanted] = process.argv.slice(2);
const served = wanted.length > 0 ? wanted : archs;
let version: Version = 'now';
const indexes = new Map<string, { bytes: Buffer; etag: string }>();
for (const arch of served) {
  for (const each of ['now', 'next'] satisfies Version[]) {
    const bytes = readFileSync(`${folder}/${set}-${arch}-${each}.tar.gz`);
    const etag = `"${createHash('sha1').update(bytes).digest('hex')}"`;
    indexes.set(`/${arch}/APKINDEX.tar.gz ${each}`, { bytes, etag });
  }
}

const server = createServer((request, response) => {
  const found = indexes.get(`${request.url} ${version}`);
  if (!found) response.writeHead(404).end();
  else if (request.headers['if-none-match'] === found.etag) response.writeHead(304).end();
  else response.writeHead(200, { etag: found.etag, 'content-length': found.bytes.length }).end(found.bytes);
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening at http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.on('message', () => {
  version = version === 'now' ? 'next' : 'now';
  process.send?.(version);
});
