import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { Held } from './memory-child.ts';

test('100 refreshes of a changing index of 20,000 packages hold as much at the end as at the beginning', async () => {
  const child = fileURLToPath(new URL('memory-child.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', child, '20000', '100']);
  const { packages, refreshes, bytes } = JSON.parse(stdout) as Held;
  const megabytes = bytes.map((each) => (each / 1e6).toFixed(1)).join(', ');
  process.stdout.write(`${refreshes} refreshes of ${packages} packages: ${megabytes} MB\n`);
  const [first = 0] = bytes;
  expect(bytes).toHaveLength(5);
  for (const each of bytes) expect(Math.abs(each / first - 1)).toBeLessThan(0.05);
});
