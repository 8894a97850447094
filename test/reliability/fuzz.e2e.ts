import { expect, test } from 'vitest';
import { describeTally, fuzz } from './fuzz.ts';

test('50,000 mutants: no crash, no hang, always a code, never half an index', async () => {
  const seed = Date.now() % 1_000_000_000;
  const tally = await fuzz({ mutants: 50_000, seed });
  process.stdout.write(`${describeTally(tally, seed)}\n`);
  expect(tally.mutants).toBe(50_000);
});
