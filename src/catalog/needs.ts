/** Dependencies that no usable package of a catalog meets. */
import type { Package } from '../apk/packages.ts';
import type { ProviderReader } from './providers.ts';
import { dependencyText, meetsItself } from './coherence.ts';
import { isStep } from './steps.ts';

/** The most packages and dependencies in the cache. */
const MAX_REMEMBERED = 20_000;

/** For many packages, because their dependencies are similar. Results are cached. */
export class Needs {
  readonly #reader: ProviderReader;
  /** By arch and dependency. */
  readonly #met = new Map<string, boolean>();
  /** Dependencies examined so far. */
  #count = 0;

  constructor(reader: ProviderReader) {
    this.#reader = reader;
  }

  get isFull(): boolean {
    return this.#reader.size + this.#met.size > MAX_REMEMBERED;
  }

  /** Plain names, ranges and exact versions, as the package writes them. */
  *missing({
    package: each,
    arch,
  }: {
    readonly package: Package;
    readonly arch: string;
  }): Generator<undefined, readonly string[]> {
    const missing: string[] = [];
    for (const dependency of each.dependencies) {
      if (isStep((this.#count += 1))) yield;
      if (dependency.conflict) continue;
      const text = dependencyText(dependency);
      const key = `${arch} ${text}`;
      let isMet = this.#met.get(key);
      if (isMet === undefined) {
        isMet = yield* this.#reader.isMet(dependency, arch);
        this.#met.set(key, isMet);
      }
      if (!isMet && !meetsItself(each, dependency, this.#reader)) missing.push(text);
    }
    return missing;
  }
}
