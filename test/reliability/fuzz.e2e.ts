import { expect, test } from 'vitest';
import { describeTally, fuzz } from './fuzz.ts';

/** `MUTANTS=50000` for the long proof. */
const MUTANTS = Number(process.env['MUTANTS'] ?? 10_000);

test(`${MUTANTS} mutants: no crash, no hang, always a code, never half an index`, async () => {
  const seed = Date.now() % 1_000_000_000;
  const tally = await fuzz({ mutants: MUTANTS, seed });
  process.stdout.write(`${describeTally(tally, seed)}\n`);
  expect(tally.mutants).toBe(MUTANTS);
});
