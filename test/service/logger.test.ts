import { readFile } from 'node:fs/promises';
import { openSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLogger } from '../../src/service/logger.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { start } from '../support/process.ts';

const canary = 'hunter2-canary';

test('secrets are redacted wherever a line may carry them', async () => {
  const file = join(await temporaryDirectory(), 'log');
  const descriptor = openSync(file, 'w');
  const logger = await createLogger('info', { terminal: false, destination: descriptor });
  logger.info({ authorization: canary }, 'one');
  logger.info({ request: { authorization: canary } }, 'two');
  logger.info({ request: { headers: { authorization: canary, host: 'kept' } } }, 'three');
  logger.info({ user: { password: canary }, client: { token: canary } }, 'four');
  closeSync(descriptor);
  const text = await readFile(file, 'utf8');
  expect(text).not.toContain(canary);
  expect(text.match(/\[Redacted\]/g)).toHaveLength(5);
  expect(text).toContain('kept');
});

test.each<[format: 'json' | 'text' | undefined, terminal: boolean, expected: RegExp]>([
  [undefined, false, /^\{"level":"warn","time":"[^"]+","msg":"hello"\}\n$/],
  ['json', true, /^\{"level":"warn"/],
  ['text', false, /^\[\d\d:\d\d:\d\d\] WARN: hello\n$/],
])('format %s, terminal %s', async (format, terminal, expected) => {
  const file = join(await temporaryDirectory(), 'log');
  const descriptor = openSync(file, 'w');
  const logger = await createLogger('info', { format, terminal, destination: descriptor });
  logger.warn('hello');
  closeSync(descriptor);
  expect(await readFile(file, 'utf8')).toMatch(expected);
});

test.each(['json', 'text'] as const)('what a full disk does not take is dropped, as %s', async (format) => {
  const descriptor = openSync('/dev/full', 'w');
  const logger = await createLogger('info', { format, terminal: false, destination: descriptor });
  for (const line of ['one', 'two', 'three']) expect(() => logger.warn(line)).not.toThrow();
  closeSync(descriptor);
});

test('secrets in URLs of the configuration appear in no log line of a complete run', async () => {
  const url = `http://user:${canary}@127.0.0.1:9/os`;
  await using service = start([
    ...['--listen', '127.0.0.1:0', '--cache-dir', 'none', '--log-level', 'trace'],
    ...['--repository', url, '--arch', 'x86_64'],
  ]);
  await service.line(/cannot refresh/);
  service.child.kill('SIGTERM');
  expect(await service.ended).toBe(0);
  expect(service.lines.join('\n')).not.toContain(canary);
  expect(service.lines.join('\n')).toContain('http://127.0.0.1:9/');
});
