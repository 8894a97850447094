/** Scripts end when npm gets a signal: npm passes it only to the shell that it starts. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { addressOf, startProgram } from './support/process.ts';

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
/** Scripts that rewrite or read files and are done within seconds. */
const short = ['renovate:example', 'format', 'format:check', 'lint', 'types'];

test.each(Object.entries(scripts).filter(([name]) => !short.includes(name)))(
  '%s gives the place of its shell to what it starts last',
  (_, script) => {
    expect(script.split(' && ').at(-1)).toMatch(/^exec /);
  },
);

/** Whether the process is there and is no zombie, which a container without an init keeps. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The processes below `pid`, from the first to the last one started. */
function descendants(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  const children = text === '' ? [] : text.split(' ').map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

test.each(['SIGTERM', 'SIGINT'] as const)('npm start ends its service on %s', async (signal) => {
  const options = ['--listen', '127.0.0.1:0', '--cache-dir', 'none', '--repository', '/nonexistent'];
  await using npm = startProgram('npm', ['start', '--', ...options]);
  await addressOf(npm);
  const all = descendants(npm.child.pid ?? 0);
  expect(all.length).toBeGreaterThan(0);
  npm.child.kill(signal);
  await npm.ended;
  expect(npm.lines.some((line) => line.includes('stopping'))).toBe(true);
  expect(all.filter(isAlive)).toEqual([]);
});

test('npm run demo ends what it has started', async () => {
  await using npm = startProgram('npm', ['run', 'demo']);
  await npm.line(/^\$ curl/);
  const all = descendants(npm.child.pid ?? 0);
  expect(all.length).toBeGreaterThan(1);
  npm.child.kill('SIGTERM');
  // Both outputs are closed, so nobody who writes to them is left.
  await npm.ended;
  expect(all.filter(isAlive)).toEqual([]);
});
