import { expect, test } from 'vitest';
import { describeTally, fuzz } from './fuzz.ts';

test('mutants of an index are refused with a code, or read as an independent reader reads them', async () => {
  const seed = Date.now() % 1_000_000_000;
  const tally = await fuzz({ mutants: 3000, seed });
  process.stdout.write(`${describeTally(tally, seed)}\n`);
  expect(tally.outcomes.get('archive-malformed')).toBeGreaterThan(0);
  expect(tally.outcomes.get('accepted')).toBeGreaterThan(0);
  expect(tally.published).toBeGreaterThan(0);
  // Beside other work it may take as long.
}, 120_000);
