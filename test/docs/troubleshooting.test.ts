/** Messages that docs/troubleshooting.md quotes are those of the code. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { defaultReadLimits, readIndex } from '../../src/apk/read-index.ts';
import type { TrustedKey } from '../../src/apk/signature.ts';
import { excerptOf } from '../../src/routing/excerpt.ts';
import { parsePinContext, type ContextParameters } from '../../src/routing/pin-context.ts';
import { createRouter } from '../../src/routing/route.ts';
import { failure } from '../support/failure.ts';
import { indexBody, pkg, signedIndex, testKey } from '../support/signed-index.ts';

const text = await readFile('docs/troubleshooting.md', 'utf8');

const router = createRouter([
  {
    name: 'wolfi',
    repositories: ['https://packages.wolfi.dev/os'],
    archs: ['x86_64'],
    images: [],
    includes: [],
    scripts: [],
    asksUnknown: false,
  },
]);

const dockerfile = (file: string): ContextParameters => ({ kind: 'dockerfile', file: excerptOf(file) });

test.each<[what: string, context: ContextParameters]>([
  ['an image of your own', dockerfile('FROM ghcr.io/acme/base\n')],
  ['an image without a branch', dockerfile('FROM node:24-alpine\n')],
  ['the latest Alpine', dockerfile('FROM alpine:latest\n')],
  ['a branch', dockerfile('FROM alpine:3.24\n')],
  ['an ARG without a default', dockerfile('ARG REGISTRY\nFROM ${REGISTRY}/base:1\n')],
  ['no repositories', { kind: 'definition' }],
  ['a script', { kind: 'script', path: 'ci/x.sh' }],
  ['repositories edited', dockerfile('FROM alpine:3.24\nRUN sed -i s/a/b/ /etc/apk/repositories\n')],
])('the reason for %s', (_what, context) => {
  const route = router(parsePinContext(context));
  expect(text).toContain(`\`${'noOpinion' in route ? route.noOpinion : route.datasource}\``);
});

test('the messages on keys', async () => {
  const [a, b, c] = [testKey('A'), testKey('B'), testKey('C')];
  const signed = await signedIndex([pkg('curl', '1.0-r0')], [{ key: a }]);
  const messageOf = async (archive: Buffer, keys: readonly TrustedKey[]): Promise<string> =>
    (await failure(readIndex(archive, { keys, limits: defaultReadLimits }))).message;
  expect(text).toContain(`\`${await messageOf(signed, [b, c])}\``);
  expect(await messageOf(signed, [{ ...a, name: 'B' }])).toMatch(/; key B matches if its file is named A$/);
  expect(text).toContain('`…; key B matches if its file is named A`');
  expect(text).toContain(`\`${await messageOf(signed, [{ ...b, name: 'A' }])}\``);
  expect(text).toContain(`\`${await messageOf(await indexBody('P:curl\nV:1.0-r0\n\n'), [a])}\``);
});
