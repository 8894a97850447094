let collator: Intl.Collator | undefined;

/**
 * JavaScript's order of text with numbers in it: `a-9` comes before `a-10`. Its rules take 10 ms to load, so the start
 * does without them.
 */
export function compareNaturally(a: string, b: string): number {
  collator ??= new Intl.Collator('en', { numeric: true });
  return collator.compare(a, b);
}
