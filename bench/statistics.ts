/** Rounds and their statistics. */

export interface Measured {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
  readonly rounds: number;
}

export function measured(values: readonly number[]): Measured {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median =
    sorted.length % 2 === 1 ? sorted[middle] : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
  return {
    median: median ?? NaN,
    lowest: sorted[0] ?? NaN,
    highest: sorted.at(-1) ?? NaN,
    rounds: sorted.length,
  };
}

/** Ratios of values of the same round: a slow round is slow for both. */
export function ratios(values: readonly number[], floors: readonly number[]): number[] {
  return values.map((value, round) => value / (floors[round] ?? NaN));
}

/** Runs every variant once per round, in rotating order; returns the results of each by round. */
export async function interleave<T>(
  rounds: number,
  variants: Readonly<Record<string, () => Promise<T>>>,
): Promise<Record<string, T[]>> {
  const names = Object.keys(variants);
  const results: Record<string, T[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (let i = 0; i < names.length; i += 1) {
      const name = names[(i + round) % names.length] as string;
      results[name]?.push(await (variants[name] as () => Promise<T>)());
    }
  }
  return results;
}
