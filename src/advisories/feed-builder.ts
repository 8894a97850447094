/** Builds the reduced form of a feed: compact, the same for every format, and ready for lookups. */
import { combine } from './affected.ts';

/** One record of a feed for one package. */
export interface Finding {
  readonly name: string;
  /** `undefined` for all archs. */
  readonly arch: string | undefined;
  readonly ids: readonly string[];
  /** See `affected.ts`. */
  readonly affected: string;
}

/** Facts about a whole feed; the first line of the reduced form. */
export interface FeedFacts {
  readonly format: number;
  readonly kind: FeedKind;
  /** Packages with at least one identifier. */
  readonly packages: number;
  /** Pairs of package and identifier. */
  readonly pairs: number;
  /** Records or packages that were read. */
  readonly records: number;
  /** Unusable entries: without a name, with invalid versions, and so on. */
  readonly skipped: number;
  /** The first unusable entry. */
  readonly firstSkipped?: string;
  /** The time of the newest record that is not dated in the future, in ISO 8601. */
  readonly newest?: string;
  /** For a secdb: its branch and repository, `v3.22/main`. */
  readonly repository?: string;
}

export type FeedKind = 'secdb' | 'osv';

export const FORMAT = 1;
/** The arch of entries for all archs. */
export const ANY = '*';

/** The most ranges of a verdict. Real ones have few; each lookup compares all of them. */
const MAX_RANGES = 1000;

/** Assigns numbers to texts. */
class Texts {
  readonly #numbers = new Map<string, number>();
  readonly #texts: string[] = [];

  numberOf(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    // A copy: a piece of a longer text would keep that in memory.
    const own = Buffer.from(text, 'latin1').toString('latin1');
    this.#numbers.set(own, this.#texts.length);
    return this.#texts.push(own) - 1;
  }

  textOf(number: number): string {
    return this.#texts[number] as string;
  }
}

export class FeedBuilder {
  readonly #ids = new Texts();
  /** `x86_64:<1.2-r3` */
  readonly #verdicts = new Texts();
  /** By name: identifier, verdict, identifier, verdict, … */
  readonly #pairs = new Map<string, number[]>();
  #skipped = 0;
  #firstSkipped: string | undefined;

  add({ name, arch = ANY, ids, affected }: Finding): void {
    let pairs = this.#pairs.get(name);
    if (!pairs) this.#pairs.set(name, (pairs = []));
    const verdict = this.#verdicts.numberOf(`${arch}:${affected}`);
    for (const id of ids) pairs.push(this.#ids.numberOf(id), verdict);
  }

  /** Counts an unusable entry. */
  skip(fact: string): void {
    this.#skipped += 1;
    this.#firstSkipped ??= fact.slice(0, 200);
  }

  /**
   * One line of JSON, `FeedFacts`, then a line for each package, in the order of their names:
   *
   *     name \t verdict \t id id id \t verdict \t id …
   *     verdict = arch ":" affected { ";" arch ":" affected }
   */
  finish(known: Pick<FeedFacts, 'kind' | 'records' | 'newest' | 'repository'>): Buffer {
    const lines: string[] = [];
    let pairs = 0;
    for (const name of [...this.#pairs.keys()].sort()) {
      const line = this.#line(name);
      this.#pairs.delete(name);
      pairs += line.pairs;
      if (line.pairs > 0) lines.push(line.text);
    }
    const facts: FeedFacts = {
      format: FORMAT,
      packages: lines.length,
      pairs,
      skipped: this.#skipped,
      ...(this.#firstSkipped !== undefined && { firstSkipped: this.#firstSkipped }),
      ...known,
    };
    return Buffer.concat([
      Buffer.from(`${JSON.stringify(facts)}\n`),
      ...lines.map((line) => Buffer.from(`${line}\n`, 'latin1')),
    ]);
  }

  #line(name: string): { readonly text: string; readonly pairs: number } {
    const pairs = this.#pairs.get(name) as number[];
    const verdicts = new Map<number, Set<number>>();
    for (let i = 0; i < pairs.length; i += 2) {
      const id = pairs[i] as number;
      const own = verdicts.get(id);
      if (own) own.add(pairs[i + 1] as number);
      else verdicts.set(id, new Set([pairs[i + 1] as number]));
    }
    const groups = new Map<string, string[]>();
    const combined = new Map<string, string>();
    for (const [id, own] of verdicts) {
      const key = [...own].sort((a, b) => a - b).join();
      let verdict = combined.get(key);
      if (verdict === undefined) {
        verdict = combineArchs([...own].map((each) => this.#verdicts.textOf(each)));
        if (verdict.split(',', MAX_RANGES + 1).length > MAX_RANGES) {
          this.skip(
            `${name}: ${this.#ids.textOf(id)} has more than ${MAX_RANGES} ranges, so no fix is known`,
          );
          verdict = `${ANY}:!`;
        }
        combined.set(key, verdict);
      }
      const group = groups.get(verdict);
      if (group) group.push(this.#ids.textOf(id));
      else groups.set(verdict, [this.#ids.textOf(id)]);
    }
    const fields = [...groups].flatMap(([verdict, ids]) => [verdict, ids.sort().join(' ')]);
    return { text: [name, ...fields].join('\t'), pairs: verdicts.size };
  }
}

/** An entry for all archs counts for each arch; archs with equal entries are merged. */
function combineArchs(verdicts: readonly string[]): string {
  const byArch = Map.groupBy(verdicts, (verdict) => verdict.slice(0, verdict.indexOf(':')));
  const textsFor = (arch: string): readonly string[] =>
    (byArch.get(arch) ?? []).map((verdict) => verdict.slice(arch.length + 1));
  const ofAll = textsFor(ANY);
  const own = [...byArch.keys()].map((arch) => [arch, combine([...textsFor(arch), ...ofAll])] as const);
  const first = own[0]?.[1];
  if (own.every(([, text]) => text === first)) return `${ANY}:${first}`;
  return own
    .map(([arch, text]) => `${arch}:${text}`)
    .sort()
    .join(';');
}
