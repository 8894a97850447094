/** Puts a canary in every place for a secret. It must not appear in any thrown error. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeEach, expect, test } from 'vitest';
import { errorLine } from '../../src/errors.ts';
import { credentialLookup, type RepositoryCredentials } from '../../src/repository/credentials.ts';
import { fetchIndex } from '../../src/repository/fetch-index.ts';
import { loadKeys } from '../../src/repository/key-sources.ts';
import type { UpstreamClient } from '../../src/repository/upstream-client.ts';
import { serverTls } from '../support/tls.ts';
import { failure } from '../support/failure.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { startClient, startRawUpstream, startUpstream } from '../support/upstream.ts';

const canary = 'c4n4ry-s1ngs';
/** The canary in each place of three that base64 can have it. */
const encoded = ['', 'x', 'xx'].map((prefix) =>
  Buffer.from(`${prefix}${canary}`).toString('base64').slice(4, -4),
);

/** Everything that a logger or a crash could print of an error. */
function everythingOf(error: Error): string {
  const shown = inspect(error, { depth: Infinity, showHidden: true, getters: true, maxStringLength: null });
  return [shown, errorLine(error), JSON.stringify(error), JSON.stringify(error.cause), error.stack].join(
    '\n',
  );
}

function expectSilence(error: Error): void {
  const text = everythingOf(error);
  for (const secret of [canary, ...encoded]) expect(text).not.toContain(secret);
}

let client: UpstreamClient;
beforeEach(() => {
  client = startClient({ timeouts: { connect: 100, total: 150 } });
});

const environment = {
  CANARY: canary,
  CANARY_LINES: `${canary}\n${canary}`,
  HTTP_AUTH: `basic:127.0.0.1:me:${canary}`,
};

const credentials: readonly (RepositoryCredentials | undefined)[] = [
  undefined,
  { bearer: { env: 'CANARY' } },
  { basic: { username: 'me', password: { env: 'CANARY' } } },
  { header: { name: 'x-api-key', value: { env: 'CANARY' } } },
  { bearer: { env: 'CANARY_LINES' } },
];

const withSecrets = (url: URL): URL =>
  new URL(`${url.protocol}//me:${canary}@${url.host}/os?token=${canary}`);

const faults: Record<string, () => Promise<URL>> = {
  '401': () => serve((response) => response.writeHead(401).end()),
  'a redirect without location': () => serve((response) => response.writeHead(302).end()),
  'a redirect to a bad location': () =>
    serve((response) => response.writeHead(302, { location: `http://${canary}@` }).end()),
  'a redirect to another scheme': () =>
    serve((response) =>
      response.writeHead(302, { location: `ftp://me:${canary}@a.example/?${canary}` }).end(),
    ),
  'a redirect to the link-local network': () =>
    serve((response) =>
      response.writeHead(302, { location: `http://me:${canary}@169.254.0.1/?${canary}` }).end(),
    ),
  'a redirect loop': () => serve((response) => response.writeHead(302, { location: `/?${canary}` }).end()),
  'too large': () => serve((response) => response.end(Buffer.alloc(5000))),
  'another encoding': () => serve((response) => response.setHeader('content-encoding', 'br').end('x')),
  'a reset': () => startRawUpstream((socket) => socket.resetAndDestroy()),
  'no HTTP': () => startRawUpstream((socket) => socket.end('what?')),
  'no headers': () => startRawUpstream(() => undefined),
  'a body that stops': () => serve((response) => response.setHeader('content-length', 10).write('x')),
  'nobody there': () => Promise.resolve(new URL('http://127.0.0.1:1/')),
  'a strange certificate': async () =>
    (await startUpstream((_request, response) => response.end(), serverTls)).url,
  'an unknown name': () => Promise.resolve(new URL('http://nobody.invalid/')),
};

type Response = Parameters<Parameters<typeof startUpstream>[0]>[1];

async function serve(answer: (response: Response) => unknown): Promise<URL> {
  return (await startUpstream((_request, response) => void answer(response))).url;
}

test.each(Object.entries(faults))('%s gives no secret away', async (_name, start) => {
  const url = withSecrets(await start());
  for (const own of credentials) {
    const repository = own && { url, credentials: own };
    const lookup = credentialLookup({ environment, repository });
    expectSilence(await failure(fetchIndex(url, { client, credentials: lookup, maxBytes: 1000 })));
    if (own === undefined) expectSilence(await failure(fetchIndex(url.href, { client, maxBytes: 1000 })));
  }
});

test('a key or key discovery gives no secret away', async () => {
  const options = { client, credentials: credentialLookup({ environment }) };
  const notFound = await serve((response) => response.writeHead(404).end());
  const notKey = await serve((response) =>
    response.end(JSON.stringify({ jwks_uri: `ftp://${canary}@x/?${canary}` })),
  );
  const broken = await serve((response) => response.end('{"jwks_uri":'));
  for (const url of [notFound, notKey].map(withSecrets))
    expectSilence(await failure(loadKeys([url.href], options)));
  for (const url of [notKey, broken].map(withSecrets)) {
    expectSilence(await failure(loadKeys([{ discover: url }], options)));
  }
});

test('a secret file, a .netrc and a proxy give no secret away', async () => {
  const directory = await temporaryDirectory();
  const [file, netrcFile] = [join(directory, 'token'), join(directory, '.netrc')];
  await writeFile(file, `${canary}\n${canary}\n`);
  await writeFile(netrcFile, `machine a login me password "${canary}`);
  const url = new URL('http://127.0.0.1:1/');
  const lookups = [
    credentialLookup({ environment: {}, repository: { url, credentials: { bearer: { file } } } }),
    credentialLookup({ environment: {}, netrcFile }),
  ];
  for (const lookup of lookups) expectSilence(await failure(lookup(url)));

  for (const proxy of [
    `http://me:${canary}@127.0.0.1:1`,
    `socks5://me:${canary}@a`,
    `http://me:${canary}%@127.0.0.1:1`,
  ]) {
    const proxied = startClient({ environment: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy } });
    for (const target of ['http://a.example/', 'https://a.example/']) {
      expectSilence(await failure(fetchIndex(target, { client: proxied, maxBytes: 1000 })));
    }
  }
});

test('the canary would be heard', () => {
  const heard = [new Error(canary), new Error('a', { cause: { url: `http://me:${canary}@a/` } })];
  for (const error of heard) expect(everythingOf(error)).toContain(canary);
  const basic = Buffer.from(`me:${canary}`).toString('base64');
  expect(encoded.some((text) => basic.includes(text))).toBe(true);
});
