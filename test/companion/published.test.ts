import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { CompanionError } from '../../companion/errors.ts';
import { publishedIn } from '../../companion/published.ts';
import { failure } from '../support/failure.ts';
import { pkg, signedIndex } from '../support/signed-index.ts';
import { startUpstream } from '../support/upstream.ts';
import { temporaryFolder } from './tools.ts';

const archs = ['x86_64', 'aarch64'];

/** A private repository, which has one arch yet. */
async function startRepository() {
  const index = await signedIndex([pkg('one', '1-r0'), pkg('one', '1-r1')]);
  const { url } = await startUpstream((request, response) => {
    const expected = `Basic ${Buffer.from('ci:secret').toString('base64')}`;
    if (request.headers.authorization !== expected) response.writeHead(401).end();
    else if (request.url?.endsWith('/x86_64/APKINDEX.tar.gz')) response.end(index);
    else response.writeHead(404).end();
  });
  return { address: new URL('os/', url).href, host: url.hostname };
}

describe('what is published', () => {
  it('is every version of each arch that has an index', async () => {
    const { address, host } = await startRepository();
    const published = await publishedIn([address], archs, { HTTP_AUTH: `basic:${host}:ci:secret` });
    expect(published).toEqual(new Set(['x86_64/one-1-r0', 'x86_64/one-1-r1']));
  });

  it('is nothing of an arch that a folder does not have', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'x86_64'));
    writeFileSync(join(folder, 'x86_64/APKINDEX.tar.gz'), await signedIndex([pkg('one', '1-r0')]));
    expect(await publishedIn([folder], archs, {})).toEqual(new Set(['x86_64/one-1-r0']));
  });

  it('is not known if the folder is not there: its path may be misspelt, or it is not mounted', async () => {
    const folder = join(temporaryFolder(), 'apk');
    const error = await failure(publishedIn([folder], archs, {}));
    expect(error).toBeInstanceOf(CompanionError);
    expect(error.message).toBe(`${folder}: there is no such folder`);
  });

  it('is nothing without a repository', async () => {
    expect(await publishedIn([], archs, {})).toEqual(new Set());
  });

  it('is not read from an index that the service would refuse for its size', async () => {
    const { url } = await startUpstream((_, response) => {
      response.writeHead(200, { 'content-length': 2 ** 27 + 1 }).flushHeaders();
    });
    const error = await failure(publishedIn([url.href], ['x86_64'], {}));
    expect(error.message).toContain(`${2 ** 27 + 1} bytes are more than the ${2 ** 27} allowed`);
  });

  it('is not known if a repository refuses to answer: nothing must count as missing then', async () => {
    const { address } = await startRepository();
    const error = await failure(publishedIn([address], archs, {}));
    expect(error).toBeInstanceOf(CompanionError);
    expect(error.message).toMatch(/^http.*\/os\/x86_64\/APKINDEX\.tar\.gz answered 401/);
  });

  it('is not known if an object store answers 403 for missing files; the error says how to get a 404', async () => {
    const { url } = await startUpstream((_, response) => response.writeHead(403).end());
    const error = await failure(publishedIn([url.href], archs, {}));
    expect(error.message).toMatch(/answered 403.*; if there is none yet, .* 404: .*s3:ListBucket/);
  });
});
