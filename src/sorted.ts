/** Sorted lists, and the order of texts in them. */

/** The number of items at the start of a sorted list for which `isBefore` holds; it gets their index. */
export function countBefore(length: number, isBefore: (index: number) => boolean): number {
  let [from, to] = [0, length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (isBefore(middle)) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** By their UTF-16 units, whatever the locale. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
