/** Counts lookups by result, as plain numbers, because lookups are the most frequent event. */

const none = { found: 0, unknown: 0, 'not-modified': 0, 'not-loaded': 0 };
export type LookupResult = keyof typeof none;

export class LookupCounts {
  readonly #counts: ReadonlyMap<string, Record<LookupResult, number>>;

  constructor(datasources: readonly string[]) {
    this.#counts = new Map(datasources.map((name) => [name, { ...none }]));
  }

  count(datasource: string, result: LookupResult): void {
    const counts = this.#counts.get(datasource);
    if (counts) counts[result] += 1;
  }

  /** Lookups that were answered from an index. */
  get answered(): number {
    let answered = 0;
    for (const counts of this.#counts.values())
      answered += counts.found + counts.unknown + counts['not-modified'];
    return answered;
  }

  /** Every datasource with every result, including zeros. */
  *list(): Iterable<{ readonly datasource: string; readonly result: LookupResult; readonly count: number }> {
    for (const [datasource, counts] of this.#counts)
      for (const [result, count] of Object.entries(counts) as [LookupResult, number][])
        yield { datasource, result, count };
  }
}
