import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import type { LookupFunction } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { errorLine, IndexError } from '../../src/errors.ts';
import {
  loadKeys,
  type KeyMemory,
  type KeySource,
  type LoadKeysOptions,
  type PublicKey,
} from '../../src/repository/key-sources.ts';
import { failure } from '../support/failure.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { mutualTls, tlsPath } from '../support/tls.ts';
import { startClient, startUpstream, type Upstream } from '../support/upstream.ts';

const rsa = (): KeyObject => generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
const [one, two] = [rsa(), rsa()];
const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function load(
  sources: readonly KeySource[],
  options: Partial<LoadKeysOptions> = {},
): Promise<readonly PublicKey[]> {
  return loadKeys(sources, { client: startClient(), ...options });
}

/** Serves texts by path; what has none is 404. */
function serve(texts: Record<string, string>): Promise<Upstream> {
  const listener: RequestListener = (request, response) => {
    const text = texts[request.url ?? ''];
    response.writeHead(text === undefined ? 404 : 200).end(text);
  };
  return startUpstream(listener);
}

describe('keys in files', () => {
  test('are named as the file, and those of a directory as its *.pub', async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, 'one.rsa.pub');
    await writeFile(file, pem(one));
    await writeFile(join(directory, 'two.rsa.pub'), `A comment.\n\n${pem(two).trim()}`);
    await writeFile(join(directory, 'three.pem'), one.export({ type: 'pkcs1', format: 'pem' }));
    await writeFile(join(directory, 'README'), 'no key');
    const keys = [
      { name: 'one.rsa.pub', pem: pem(one) },
      { name: 'three.pem', pem: pem(one) },
      { name: 'two.rsa.pub', pem: pem(two) },
    ];
    expect(await load([file])).toEqual(keys.slice(0, 1));
    expect(await load([directory, file])).toEqual(keys);
    expect(await load([pathToFileURL(file).href])).toEqual(keys.slice(0, 1));
  });

  test('with one name and two contents are both there', async () => {
    const directory = await temporaryDirectory();
    for (const [name, key] of [['old', one] as const, ['new', two] as const]) {
      await mkdir(join(directory, name));
      await writeFile(join(directory, name, 'a.rsa.pub'), pem(key));
    }
    const keys = await load([join(directory, 'old'), join(directory, 'new')]);
    expect(keys).toEqual([
      { name: 'a.rsa.pub', pem: pem(one) },
      { name: 'a.rsa.pub', pem: pem(two) },
    ]);
  });

  test.each([
    ['nothing', '', 'expected one -----BEGIN PUBLIC KEY-----, found no PEM block'],
    ['HTML', '<html>', 'found no PEM block'],
    [
      'a private key',
      elliptic.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      'found -----BEGIN PRIVATE',
    ],
    ['two keys', pem(one) + pem(two), 'found -----BEGIN PUBLIC KEY-----, -----BEGIN PUBLIC KEY-----'],
    [
      'another kind of key',
      pem(generateKeyPairSync('ed25519').publicKey),
      'is of type ed25519, not rsa or ec',
    ],
    [
      'another curve',
      pem(generateKeyPairSync('ec', { namedCurve: 'secp224r1' }).publicKey),
      'is on the curve secp224r1, expected prime256v1 or',
    ],
    [
      'a key of 1024 bits',
      pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey),
      'has 1024 bits, expected at least 2048',
    ],
    ['half a key', pem(one).slice(0, 200), 'is not a public key'],
    ['too much', 'x'.repeat(70_000), 'is larger than 65536 bytes'],
  ])('that hold %s are refused by name', async (_name, text, fact) => {
    const file = join(await temporaryDirectory(), 'a.rsa.pub');
    await writeFile(file, text);
    const error = await failure(load([file]));
    expect(error).toBeInstanceOf(IndexError);
    expect(error).toMatchObject({ code: 'config-invalid' });
    expect(error.message).toContain(`key ${file}`);
    expect(error.message).toContain(fact);
  });

  test('that are missing are named', async () => {
    const directory = await temporaryDirectory();
    const missing = join(directory, 'none.rsa.pub');
    expect(errorLine(await failure(load([missing])))).toContain(`cannot read key ${missing}: ENOENT`);
    expect((await failure(load([directory]))).message).toBe(
      `no key (*.pub or *.pem) in directory ${directory}`,
    );
  });
});

describe('a key at a URL', () => {
  test('is fetched once, kept, and not replaced by a later one', async () => {
    const texts = { '/a%40b.rsa.pub?v=1': pem(one) };
    const { url, requests } = await serve(texts);
    const cacheDir = join(await temporaryDirectory(), 'cache');
    const source = `${url.href}a%40b.rsa.pub?v=1`;
    const expected = [{ name: 'a@b.rsa.pub', pem: pem(one) }];
    expect(await load([source], { cacheDir })).toEqual(expected);
    texts['/a%40b.rsa.pub?v=1'] = pem(two);
    expect(await load([source], { cacheDir })).toEqual(expected);
    expect(requests).toHaveLength(1);
    const [directory = ''] = await readdir(join(cacheDir, 'keys'));
    expect(await readFile(join(cacheDir, 'keys', directory, 'a@b.rsa.pub'), 'utf8')).toBe(pem(one));
  });

  test('that could not be kept is pinned by the process', async () => {
    const texts = { '/a.rsa.pub': pem(one) };
    const { url } = await serve(texts);
    const memory: KeyMemory = new Map();
    const again = (): Promise<readonly PublicKey[]> => load([`${url.href}a.rsa.pub`], { memory });
    const first = await again();
    texts['/a.rsa.pub'] = pem(two);
    expect(await again()).toEqual(first);
  });

  test('that two processes fetch at once is the same for both', async () => {
    const cacheDir = await temporaryDirectory();
    let answers = 0;
    const { url } = await startUpstream((_, response) => response.end(pem((answers += 1) === 1 ? one : two)));
    const both = await Promise.all([1, 2].map(() => load([`${url.href}a.rsa.pub`], { cacheDir })));
    expect(answers).toBe(2);
    expect(both[0]).toEqual(both[1]);
    expect(await readdir(join(cacheDir, 'keys'))).toHaveLength(1);
  });

  test('is kept apart from one of the same name elsewhere', async () => {
    const cacheDir = await temporaryDirectory();
    const [a, b] = [await serve({ '/a.rsa.pub': pem(one) }), await serve({ '/a.rsa.pub': pem(two) })];
    const sources = [`${a.url.href}a.rsa.pub`, `${b.url.href}a.rsa.pub`];
    const fetched = await load(sources, { cacheDir });
    expect(fetched.map((key) => key.pem)).toEqual([pem(one), pem(two)]);
    expect(await load(sources, { cacheDir })).toEqual(fetched);
  });

  test('whose kept file is damaged is an error, not a new key', async () => {
    const cacheDir = await temporaryDirectory();
    const { url, requests } = await serve({ '/a.rsa.pub': pem(one) });
    await load([`${url.href}a.rsa.pub`], { cacheDir });
    const [directory = ''] = await readdir(join(cacheDir, 'keys'));
    const file = join(cacheDir, 'keys', directory, 'a.rsa.pub');
    await writeFile(file, 'damaged');
    expect((await failure(load([`${url.href}a.rsa.pub`], { cacheDir }))).message).toContain(file);
    expect(requests).toHaveLength(1);
  });

  test('is used, with a warning, if it cannot be saved', async () => {
    const cacheDir = await temporaryDirectory();
    await symlink(join(cacheDir, 'nowhere'), join(cacheDir, 'keys'));
    const { url } = await serve({ '/a.rsa.pub': pem(one) });
    const warnings: string[] = [];
    const warn = (warning: IndexError): void => void warnings.push(warning.message);
    expect(await load([`${url.href}a.rsa.pub`], { cacheDir, warn })).toHaveLength(1);
    expect(warnings).toEqual([
      expect.stringContaining(`cannot keep the keys of ${url.href}a.rsa.pub in ${cacheDir}`),
    ]);
  });

  test('that could not be kept is kept as it was once the disk can be written, for the next process', async () => {
    const cacheDir = await temporaryDirectory();
    await symlink(join(cacheDir, 'nowhere'), join(cacheDir, 'keys'));
    const texts = { '/a.rsa.pub': pem(one) };
    const { url } = await serve(texts);
    const source = `${url.href}a.rsa.pub`;
    const warnings: string[] = [];
    const warn = (warning: IndexError): void => void warnings.push(warning.message);
    const memory: KeyMemory = new Map();
    const first = await load([source], { cacheDir, memory, warn });
    texts['/a.rsa.pub'] = pem(two);
    expect(await load([source], { cacheDir, memory, warn })).toEqual(first);
    await rm(join(cacheDir, 'keys'));
    expect(await load([source], { cacheDir, memory, warn })).toEqual(first);
    expect(await load([source], { cacheDir })).toEqual(first);
    expect(warnings).toHaveLength(1);
    // Deleted by the operator, to accept a new key.
    await rm(join(cacheDir, 'keys'), { recursive: true });
    expect(await load([source], { cacheDir, memory })).toMatchObject([{ pem: pem(two) }]);
  });

  test('is not requested if the saved file cannot be read', async () => {
    const cacheDir = join(await temporaryDirectory(), 'cache');
    await writeFile(cacheDir, 'in the way');
    const { url, requests } = await serve({ '/a.rsa.pub': pem(one) });
    const error = await failure(load([`${url.href}a.rsa.pub`], { cacheDir }));
    expect(error.message).toContain(`cannot read the keys in ${cacheDir}`);
    expect(requests).toHaveLength(0);
  });

  test('is refused when it is missing, no key, too large or has no name', async () => {
    const cacheDir = await temporaryDirectory();
    const { url } = await serve({ '/a.rsa.pub': 'no key', '/b.rsa.pub': 'x'.repeat(70_000), '/': pem(one) });
    const error = async (path: string): Promise<Error> => failure(load([`${url.href}${path}`], { cacheDir }));
    expect(await error('c.rsa.pub')).toMatchObject({
      code: 'fetch-failed',
      message: `${url.href}c.rsa.pub answered 404`,
    });
    expect((await error('a.rsa.pub')).message).toContain(`key ${url.href}a.rsa.pub: expected one`);
    expect(await error('b.rsa.pub')).toMatchObject({ code: 'fetch-too-large' });
    expect((await error('')).message).toContain('"" is not the name of a key');
    expect(await readdir(cacheDir)).toEqual([]);
  });
});

describe('key discovery', () => {
  const jwk = (key: KeyObject, kid: string): object => ({ ...key.export({ format: 'jwk' }), kid });
  const keySet = (...keys: object[]): string => JSON.stringify({ keys });

  test('finds the RSA keys of a repository, which are then kept', async () => {
    const { url, requests } = await serve({
      '/org/apk-configuration': '{"jwks_uri": "/jwks", "more": 1}',
      '/jwks': keySet(jwk(one, 'abc'), jwk(elliptic.publicKey, 'def'), jwk(two, 'ghi')),
    });
    const cacheDir = await temporaryDirectory();
    for (const repository of ['org', 'org/', 'org']) {
      expect(await load([{ discover: new URL(repository, url) }], { cacheDir })).toEqual([
        { name: 'abc.rsa.pub', pem: pem(one) },
        { name: 'ghi.rsa.pub', pem: pem(two) },
      ]);
    }
    expect(requests).toHaveLength(2);
  });

  test('finds none if the repository has none', async () => {
    const { url } = await serve({});
    const cacheDir = await temporaryDirectory();
    expect(await load([{ discover: url }], { cacheDir })).toEqual([]);
    expect(await readdir(cacheDir)).toEqual([]);
  });

  test('asks again as long as the repository has none', async () => {
    const texts: Record<string, string> = {};
    const { url } = await serve(texts);
    const memory: KeyMemory = new Map();
    const again = (): Promise<readonly PublicKey[]> => load([{ discover: url }], { memory });
    expect(await again()).toEqual([]);
    Object.assign(texts, {
      '/apk-configuration': '{"jwks_uri": "/jwks"}',
      '/jwks': keySet(jwk(one, 'abc')),
    });
    expect(await again()).toEqual([{ name: 'abc.rsa.pub', pem: pem(one) }]);
  });

  test.each([
    ['no JSON', '<html>', '', 'is not the expected JSON'],
    ['no jwks_uri', '{}', '', 'is not the expected JSON'],
    [
      'keys from elsewhere by http',
      '{"jwks_uri":"http://keys.example/jwks"}',
      '',
      'neither https nor of the same origin',
    ],
    ['keys in a file', '{"jwks_uri":"file:///etc/passwd"}', '', 'neither https nor of the same origin'],
    ['keys that are missing', '{"jwks_uri":"/none"}', '', '/none answered 404'],
    ['keys of no form', '{"jwks_uri":"/jwks"}', '[]', 'is not the expected JSON'],
    ['no RSA key', '{"jwks_uri":"/jwks"}', keySet(jwk(elliptic.publicKey, 'a')), 'contains no RSA key'],
    ['a kid that is a path', '{"jwks_uri":"/jwks"}', keySet(jwk(one, '../../a')), 'is not the name of a key'],
    [
      'a key without kid',
      '{"jwks_uri":"/jwks"}',
      keySet(one.export({ format: 'jwk' })),
      'is not the name of a key',
    ],
    [
      'a kid of 50 KB',
      '{"jwks_uri":"/jwks"}',
      keySet(jwk(one, 'k'.repeat(50_000))),
      '(50008 characters)" is not',
    ],
    ['an empty key', '{"jwks_uri":"/jwks"}', keySet({ kty: 'RSA', kid: 'a' }), 'is not an RSA key'],
    [
      'two keys of one kid',
      '{"jwks_uri":"/jwks"}',
      keySet(jwk(one, 'a'), jwk(two, 'a')),
      'two keys with the same kid',
    ],
  ])('refuses %s', async (_name, configuration, jwks, fact) => {
    const { url } = await serve({ '/apk-configuration': configuration, '/jwks': jwks });
    const cacheDir = await temporaryDirectory();
    const error = await failure(load([{ discover: url }], { cacheDir }));
    expect(error).toBeInstanceOf(IndexError);
    expect(errorLine(error)).toContain(fact);
    expect(errorLine(error).length).toBeLessThan(500);
    expect(errorLine(error)).not.toContain('<html>');
    expect(await readdir(cacheDir)).toEqual([]);
  });

  test.each([
    ['https://127.0.0.1/jwks', 'leads to 127.0.0.1, our own machine'],
    ['https://169.254.169.254/jwks', 'leads to 169.254.169.254, a link-local or metadata address'],
    ['https://keys.example/jwks', 'redirected to our own machine'],
  ])('asks %s for keys no more than a redirect would', async (jwksUri, fact) => {
    const { url, requests } = await serve({ '/apk-configuration': JSON.stringify({ jwks_uri: jwksUri }) });
    // The configured host may be this machine.
    const lookup: LookupFunction = (_host, { all }, callback) =>
      all ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4);
    const discover = new URL(`http://repository.example:${url.port}/`);
    const error = await failure(load([{ discover }], { client: startClient({ lookup }) }));
    expect(errorLine(error)).toContain(fact);
    expect(requests).toHaveLength(1);
  });

  test('shows credentials and the client certificate to no other origin', async () => {
    const keys = await startUpstream((_, response) => response.end(keySet(jwk(one, 'abc'))), {
      ...mutualTls,
      rejectUnauthorized: false,
    });
    const jwksUri = new URL('jwks', keys.url).href;
    const { url } = await serve({ '/apk-configuration': JSON.stringify({ jwks_uri: jwksUri }) });
    const client = startClient({
      extraCa: [tlsPath('ca.crt')],
      clientCertificate: { certificateFile: tlsPath('client-1.crt'), keyFile: tlsPath('client-1.key') },
    });
    const credentials = (): Promise<{ name: string; value: string }> =>
      Promise.resolve({ name: 'authorization', value: 'Bearer secret' });
    expect(await load([{ discover: url }], { client, credentials })).toHaveLength(1);
    const [request] = keys.requests;
    expect(request?.headers.authorization).toBeUndefined();
    expect((request?.socket as TLSSocket).getPeerCertificate()).toEqual({});
  });

  test('shows credentials to the repository', async () => {
    const { url, requests } = await serve({
      '/apk-configuration': '{"jwks_uri":"/jwks"}',
      '/jwks': keySet(jwk(one, 'abc')),
    });
    const credentials = (): Promise<{ name: string; value: string }> =>
      Promise.resolve({ name: 'authorization', value: 'Bearer secret' });
    await load([{ discover: url }], { credentials });
    expect(requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer secret', 'Bearer secret']);
  });
});
