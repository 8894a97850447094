/**
 * Search by name, over package names and provided names of all archs. The names of one generation are in one buffer, so
 * a search is a few calls of `indexOf`. The buffer is built in steps at the first search.
 */
import type { Pause } from '../apk/pieces.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Snapshot } from '../repository/live-datasource.ts';
import { createPause } from '../repository/pace.ts';
import { countBefore } from '../sorted.ts';
import { editDistance } from '../edit-distance.ts';
import { countBits, letterMask } from './close-names.ts';

export interface SearchHit {
  readonly name: string;
  /** No package has the name, but other packages provide it. */
  readonly provided: boolean;
  readonly match: Match;
}

export type Match = 'exact' | 'prefix' | 'substring' | 'typo';

export interface SearchHits {
  /**
   * Best first: exact, prefixes, substrings, typing errors, one before two. Among equals, packages come before provided
   * names.
   */
  readonly hits: readonly SearchHit[];
  /** Whether there are more hits than listed. */
  readonly more: boolean;
}

const MAX_HITS = 50;
/** Names considered for the best hits of a kind. A query of one letter matches nearly all names. */
const MAX_CANDIDATES = 500;
/** Minimum length of a query for matches inside names and for typing errors. */
const MIN_INSIDE = 2;
const MIN_TYPO = 3;
const MAX_TYPOS = 2;
/** Lookups refuse longer names. */
const MAX_NAME_BYTES = 256;
const NAMES_A_STEP = 500;

/** Searches the latest generation of each datasource. */
export class Searches {
  readonly #built = new WeakMap<Snapshot, Promise<NameSearch>>();

  async find(snapshot: Snapshot, query: string): Promise<SearchHits> {
    let search = this.#built.get(snapshot);
    if (!search) {
      search = NameSearch.build(snapshot.catalog, createPause());
      this.#built.set(snapshot, search);
    }
    return (await search).find(query);
  }
}

/** Names in lower case, packages first. */
export class NameSearch {
  readonly #text: Buffer;
  /** Offset of each name; a separator precedes each name. */
  readonly #starts: Uint32Array;
  /** The number of package names. */
  readonly #packages: number;
  readonly #masks: Uint32Array;
  /** Names that are not in lower case, by their number. */
  readonly #originals: ReadonlyMap<number, string>;

  private constructor(names: FoldedNames, packages: number) {
    this.#text = names.text;
    this.#starts = names.starts;
    this.#masks = names.masks;
    this.#originals = names.originals;
    this.#packages = packages;
  }

  static async build(catalog: Catalog, pause?: Pause): Promise<NameSearch> {
    const packages = new Set<string>();
    const provided = new Set<string>();
    let count = 0;
    for (const { packages: index } of catalog.sources) {
      for (const [names, into] of [
        [index.names(), packages],
        [index.providedNames(), provided],
      ] as const) {
        for (const name of names) {
          if (isSearched(name)) into.add(name);
          count += 1;
          if (count % NAMES_A_STEP === 0) await pause?.();
        }
      }
    }
    for (const name of packages) {
      provided.delete(name);
      if ((count += 1) % NAMES_A_STEP === 0) await pause?.();
    }
    return new NameSearch(await folded([...packages, ...provided], pause), packages.size);
  }

  /** Memory in bytes, without the names that are not in lower case. */
  get bytes(): number {
    return this.#text.byteLength + this.#starts.byteLength + this.#masks.byteLength;
  }

  find(text: string): SearchHits {
    const query = text.trim().toLowerCase();
    if (query === '' || query.includes('\n') || query.length > MAX_NAME_BYTES)
      return { hits: [], more: false };
    const inside = query.length >= MIN_INSIDE ? this.#containing(query) : [];
    const starting = this.#containing(`\n${query}`);
    const found = new Map<number, Rank>();
    for (const i of this.#containing(`\n${query}\n`)) found.set(i, 0);
    for (const i of starting) if (!found.has(i)) found.set(i, 1);
    for (const i of inside) if (!found.has(i)) found.set(i, 2);
    if (found.size < MAX_HITS && query.length >= MIN_TYPO)
      for (const [i, errors] of this.#similar(query)) if (!found.has(i)) found.set(i, errors === 1 ? 3 : 4);
    const ranked = [...found].sort(this.#byRank);
    const hits = ranked
      .slice(0, MAX_HITS)
      .map(([i, rank]) => ({ name: this.#name(i), match: matches[rank], provided: i >= this.#packages }));
    return { hits, more: ranked.length > MAX_HITS };
  }

  readonly #byRank = ([a, rankOfA]: [number, Rank], [b, rankOfB]: [number, Rank]): number =>
    rankOfA - rankOfB ||
    Number(a >= this.#packages) - Number(b >= this.#packages) ||
    this.#size(a) - this.#size(b) ||
    this.#compare(a, b);

  /** Numbers of names that contain `needle`: those of packages first, with enough of each kind. */
  #containing(needle: string): readonly number[] {
    const bytes = Buffer.from(needle);
    const found: number[] = [];
    const end = this.#starts.length - 1;
    for (const [from, to] of [
      [0, this.#packages],
      [this.#packages, end],
    ] as const) {
      const isEnough = from > 0 && found.length > MAX_HITS;
      const before = found.length;
      let i = from;
      while (!isEnough && i < to && found.length - before < MAX_CANDIDATES) {
        const at = this.#text.indexOf(bytes, (this.#starts[i] as number) - 1);
        if (at < 0 || at >= (this.#starts[to] as number) - 1) break;
        // The needle may begin with the line break before the name.
        i += countBefore(to - i, (each) => (this.#starts[i + each] as number) <= at + 1);
        found.push(i - 1);
      }
    }
    return found;
  }

  /** Names with typing errors, and how many: one or two, at most one for every three characters of `query`. */
  #similar(query: string): readonly (readonly [number: number, errors: number])[] {
    const limit = Math.min(MAX_TYPOS, Math.floor(query.length / 3));
    const mask = letterMask(query);
    const length = Buffer.byteLength(query);
    const found: [number, number][] = [];
    for (let i = 0; i < this.#masks.length; i += 1) {
      // An edit changes one character of up to four bytes.
      if (Math.abs(this.#size(i) - length) > limit * 4) continue;
      const own = this.#masks[i] as number;
      if (countBits(mask & ~own) > limit || countBits(own & ~mask) > limit) continue;
      const errors = editDistance(query, this.#folded(i), limit);
      if (errors !== undefined) found.push([i, errors]);
      if (found.length === MAX_CANDIDATES) break;
    }
    return found;
  }

  #compare(a: number, b: number): number {
    const [startA, startB] = [this.#starts[a] as number, this.#starts[b] as number];
    return this.#text.compare(this.#text, startB, startB + this.#size(b), startA, startA + this.#size(a));
  }

  /** In bytes. */
  #size(i: number): number {
    return (this.#starts[i + 1] as number) - (this.#starts[i] as number) - 1;
  }

  #folded(i: number): string {
    return this.#text.toString('utf8', this.#starts[i], (this.#starts[i + 1] as number) - 1);
  }

  #name(i: number): string {
    return this.#originals.get(i) ?? this.#folded(i);
  }
}

interface FoldedNames {
  readonly text: Buffer;
  readonly starts: Uint32Array;
  readonly masks: Uint32Array;
  readonly originals: ReadonlyMap<number, string>;
}

async function folded(names: readonly string[], pause?: Pause): Promise<FoldedNames> {
  // A separator at the start, so that prefixes can be searched with their separator.
  const pieces = [Buffer.from('\n')];
  const starts = new Uint32Array(names.length + 1);
  const masks = new Uint32Array(names.length);
  const originals = new Map<number, string>();
  let end = 1;
  for (let i = 0; i < names.length; i += 1) {
    if (i % NAMES_A_STEP === 0) await pause?.();
    const name = names[i] as string;
    const lower = name.toLowerCase();
    if (lower !== name) originals.set(i, name);
    const bytes = Buffer.from(`${lower}\n`);
    pieces.push(bytes);
    starts[i] = end;
    masks[i] = letterMask(lower);
    end += bytes.length;
  }
  starts[names.length] = end;
  return { text: Buffer.concat(pieces), starts, masks, originals };
}

type Rank = 0 | 1 | 2 | 3 | 4;

/** By rank, best first. The last two are one and two typing errors. */
const matches: Readonly<Record<Rank, Match>> = ['exact', 'prefix', 'substring', 'typo', 'typo'];

function isSearched(name: string): boolean {
  return name.length <= MAX_NAME_BYTES && !name.includes('\n');
}
