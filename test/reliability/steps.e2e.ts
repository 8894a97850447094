/** No answer for a hostile name blocks other requests: counts the work between two yields instead of timing it. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { Passes } from './steps-child.ts';

/** One pass over 20,000 versions takes milliseconds and is allowed; work that grows with a square passes millions. */
const MOST = 25_000;
const child = fileURLToPath(new URL('steps-child.ts', import.meta.url));

test('every question for a hostile name is answered in short steps', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [child], { maxBuffer: 2 ** 26 });
  const passes = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Passes);
  expect(passes.length).toBeGreaterThan(200);
  expect(passes.filter(({ status }) => status >= 500)).toEqual([]);
  expect(passes.filter(({ most }) => most > MOST)).toEqual([]);
  // The counters work: a step does something.
  expect(Math.max(...passes.map(({ most }) => most))).toBeGreaterThan(100);
});
