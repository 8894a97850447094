/** Long work in steps of about a millisecond, so that the caller can do other work in between or stop. */

export const ITEMS_A_STEP = 1024;

/** Whether a step ends before this item. */
export function isStep(item: number): boolean {
  return item % ITEMS_A_STEP === ITEMS_A_STEP - 1;
}

/** Runs all steps at once. */
export function finish<T>(work: Generator<undefined, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

/**
 * A value computed from an object, cached as long as the object is in memory. A new caller continues an interrupted
 * computation.
 */
export class Shared<K extends WeakKey, T> {
  readonly #begin: (key: K) => Generator<undefined, T>;
  readonly #work = new WeakMap<K, Generator<undefined, T>>();
  readonly #results = new WeakMap<K, { readonly value: T }>();

  constructor(begin: (key: K) => Generator<undefined, T>) {
    this.#begin = begin;
  }

  *of(key: K): Generator<undefined, T> {
    for (;;) {
      const result = this.#results.get(key);
      if (result) return result.value;
      const work = this.#work.get(key) ?? this.#begin(key);
      this.#work.set(key, work);
      const step = work.next();
      if (!step.done) yield;
      else {
        this.#results.set(key, { value: step.value });
        this.#work.delete(key);
      }
    }
  }
}

/** Calls `use` with each item. */
export function* eachInSteps<T>(items: Iterable<T>, use: (item: T) => void): Generator<undefined, void> {
  let i = 0;
  for (const item of items) {
    if (isStep((i += 1))) yield;
    use(item);
  }
}

export function* findInSteps<T>(
  items: readonly T[],
  isWanted: (item: T) => boolean,
): Generator<undefined, T | undefined> {
  for (let i = 0; i < items.length; i += 1) {
    if (isStep(i)) yield;
    if (isWanted(items[i] as T)) return items[i];
  }
  return undefined;
}

export function* findLastInSteps<T>(
  items: readonly T[],
  isWanted: (item: T) => boolean,
): Generator<undefined, T | undefined> {
  for (let i = items.length - 1; i >= 0; i -= 1) {
    if (isStep(i)) yield;
    if (isWanted(items[i] as T)) return items[i];
  }
  return undefined;
}

export function* mapInSteps<T, U>(
  items: readonly T[],
  map: (item: T, index: number) => U,
): Generator<undefined, readonly U[]> {
  const mapped: U[] = [];
  for (let i = 0; i < items.length; i += 1) {
    if (isStep(i)) yield;
    mapped.push(map(items[i] as T, i));
  }
  return mapped;
}

export function* filterInSteps<T>(
  items: readonly T[],
  isWanted: (item: T, index: number) => boolean,
): Generator<undefined, readonly T[]> {
  const wanted: T[] = [];
  for (let i = 0; i < items.length; i += 1) {
    if (isStep(i)) yield;
    if (isWanted(items[i] as T, i)) wanted.push(items[i] as T);
  }
  return wanted;
}

/** Sorts in place: sorts pieces, then merges them. */
export function* sortInSteps<T>(
  items: T[],
  compare: (a: T, b: T) => number,
): Generator<undefined, readonly T[]> {
  if (items.length <= ITEMS_A_STEP) return items.sort(compare);
  let pieces: T[][] = [];
  for (let start = 0; start < items.length; start += ITEMS_A_STEP) {
    pieces.push(items.slice(start, start + ITEMS_A_STEP).sort(compare));
    yield;
  }
  while (pieces.length > 1) {
    const merged: T[][] = [];
    for (let i = 0; i < pieces.length; i += 2)
      merged.push(yield* merge(pieces[i] ?? [], pieces[i + 1] ?? [], compare));
    pieces = merged;
  }
  return pieces[0] ?? [];
}

function* merge<T>(
  left: readonly T[],
  right: readonly T[],
  compare: (a: T, b: T) => number,
): Generator<undefined, T[]> {
  const merged: T[] = [];
  for (let l = 0, r = 0; l < left.length || r < right.length;) {
    if (isStep(merged.length)) yield;
    const isLeft = r === right.length || (l < left.length && compare(left[l] as T, right[r] as T) <= 0);
    merged.push((isLeft ? left[l++] : right[r++]) as T);
  }
  return merged;
}
