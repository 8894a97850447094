import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { IndexError } from '../../src/errors.ts';
import {
  authorizationFor,
  credentialLookup,
  parseHttpAuth,
  resolveCredentials,
  type RepositoryCredentials,
} from '../../src/repository/credentials.ts';
import { failure } from '../support/failure.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const url = new URL('https://apk.example.com/os/x86_64/APKINDEX.tar.gz');
const basic = (text: string): { name: string; value: string } => ({
  name: 'authorization',
  value: `Basic ${Buffer.from(text).toString('base64')}`,
});

describe('the credential for a URL', () => {
  const own = { name: 'x-api-key', value: 'own' };
  const withUser = new URL('https://me:p%40ss@apk.example.com/os');
  const httpAuth = { host: 'APK.example.com', username: 'http', password: 'auth' };
  const netrc = [
    { machine: 'other.example', login: 'other', password: 'x' },
    { machine: 'apk.Example.com', login: 'net', password: 'rc' },
    { machine: 'apk.example.com', login: 'two', password: 'rc2' },
    { machine: undefined, login: 'any', password: 'body' },
  ];

  test.each([
    ["the repository's own", withUser, { own, httpAuth, netrc }, own],
    ["the URL's", withUser, { httpAuth, netrc }, basic('me:p@ss')],
    ['that of HTTP_AUTH', url, { httpAuth, netrc }, basic('http:auth')],
    ["netrc's", url, { netrc }, basic('net:rc')],
    [
      "netrc's for the user of the URL",
      new URL('https://two@apk.example.com'),
      { httpAuth, netrc },
      basic('two:rc2'),
    ],
    ["the URL's, if netrc has only others", new URL('https://me@apk.example.com'), { netrc }, basic('me:')],
    ["netrc's default", new URL('https://x.example'), { httpAuth, netrc }, basic('any:body')],
    ['none', url, { httpAuth: { ...httpAuth, host: 'x.example' }, netrc: [] }, undefined],
  ])('is %s', (_name, location, sources, expected) => {
    expect(authorizationFor(location, sources)).toEqual(expected);
  });

  test.each([
    ['https://token@apk.example.com', 'token:'],
    ['https://:word@apk.example.com', ':word'],
    ['https://me:100%@apk.example.com', 'me:100%'],
    ['https://m%C3%A9:x@apk.example.com', 'mé:x'],
  ])('of %s is %s', (location, expected) => {
    expect(authorizationFor(new URL(location), {})).toEqual(basic(expected));
  });
});

describe('HTTP_AUTH', () => {
  test('is read as apk does, with colons in the password', () => {
    const expected = { host: 'apk.cgr.dev', username: 'user', password: 'a:b::c' };
    expect(parseHttpAuth('basic:apk.cgr.dev:user:a:b::c')).toEqual(expected);
  });

  test('is for its host only, on any port', async () => {
    const lookup = credentialLookup({ environment: { HTTP_AUTH: 'basic:apk.example.com:user:word' } });
    expect(await lookup(url)).toEqual(basic('user:word'));
    expect(await lookup(new URL('https://apk.example.com:8443/'))).toEqual(basic('user:word'));
    expect(await lookup(new URL('https://evil.example/apk.example.com'))).toBeUndefined();
    expect(await lookup(new URL('https://x.apk.example.com/'))).toBeUndefined();
  });

  test('may be empty', async () => {
    expect(await credentialLookup({ environment: { HTTP_AUTH: '' } })(url)).toBeUndefined();
  });

  test.each(['secret', 'basic:host:secret', 'digest:host:user:secret', 'basic::user:secret'])(
    '%s is refused at once, unshown',
    (text) => {
      const lookup = (): unknown => credentialLookup({ environment: { HTTP_AUTH: text } });
      expect(lookup).toThrow(/^HTTP_AUTH is not basic:<host>:<user>:<password>$/);
    },
  );
});

describe("a repository's credentials", () => {
  const environment = { NAME: 'me', SECRET: 'word', EMPTY: '', LINE: 'word\n', LINES: 'two\nlines' };

  test.each<[RepositoryCredentials, { name: string; value: string }]>([
    [{ basic: { username: 'you', password: { env: 'SECRET' } } }, basic('you:word')],
    [{ basic: { username: { env: 'NAME' }, password: { env: 'SECRET' } } }, basic('me:word')],
    [{ basic: { username: { env: 'NAME' }, password: { env: 'LINE' } } }, basic('me:word')],
    [{ bearer: { env: 'SECRET' } }, { name: 'authorization', value: 'Bearer word' }],
    [{ bearer: { env: 'LINE' } }, { name: 'authorization', value: 'Bearer word' }],
    [{ header: { name: 'X-Api-Key', value: { env: 'SECRET' } } }, { name: 'x-api-key', value: 'word' }],
  ])('%j', async (credentials, header) => {
    expect(await resolveCredentials(credentials, environment)).toEqual(header);
  });

  test.each<[RepositoryCredentials, string]>([
    [{ bearer: { env: 'TOKEN' } }, 'environment variable TOKEN is not set'],
    [{ bearer: { env: 'EMPTY' } }, 'environment variable EMPTY is empty'],
    [{ bearer: { file: '/no/such' } }, 'cannot read secret file /no/such'],
    [{ bearer: { env: 'LINES' } }, 'environment variable LINES contains a character that a header cannot'],
    [{ header: { name: 'a b', value: { env: 'SECRET' } } }, '"a b" is not the name of a header'],
  ])('%j: %s', async (credentials, message) => {
    const error = await failure(resolveCredentials(credentials, environment));
    expect(error).toBeInstanceOf(IndexError);
    expect(error).toMatchObject({ code: 'config-invalid' });
    expect(error.message).toContain(message);
    expect(error.message).not.toContain('lines');
  });

  test('are for the origin of the repository only', async () => {
    const repository = {
      url: new URL('https://apk.example.com/os'),
      credentials: { bearer: { env: 'SECRET' } },
    };
    const lookup = credentialLookup({ environment, repository });
    expect(await lookup(url)).toEqual({ name: 'authorization', value: 'Bearer word' });
    for (const other of [
      'http://apk.example.com/',
      'https://apk.example.com:8443/',
      'https://keys.example.com/',
    ]) {
      expect(await lookup(new URL(other))).toBeUndefined();
    }
  });

  test('in a file are read again each time, so that a rotated one is used', async () => {
    const file = join(await temporaryDirectory(), 'token');
    const repository = { url, credentials: { bearer: { file } } };
    const lookup = credentialLookup({ environment, repository });
    for (const token of ['one', 'two']) {
      await writeFile(file, `${token}\n`);
      expect(await lookup(url)).toEqual({ name: 'authorization', value: `Bearer ${token}` });
    }
  });
});

test('a .netrc is read again each time and may be missing', async () => {
  const netrcFile = join(await temporaryDirectory(), '.netrc');
  const lookup = credentialLookup({ environment: {}, netrcFile });
  expect(await lookup(url)).toBeUndefined();
  for (const password of ['one', 'two']) {
    await writeFile(netrcFile, `machine apk.example.com login me password ${password}\n`);
    expect(await lookup(url)).toEqual(basic(`me:${password}`));
  }
});

test('a .netrc that cannot be read is named', async () => {
  const netrcFile = await temporaryDirectory();
  const error = await failure(credentialLookup({ environment: {}, netrcFile })(url));
  expect(error).toMatchObject({ code: 'config-invalid', message: `cannot read netrc file ${netrcFile}` });
});
