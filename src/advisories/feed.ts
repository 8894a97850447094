/** A feed in the form that `FeedBuilder` wrote, in one block of memory. */
import { countBefore } from '../sorted.ts';
import { FORMAT, type FeedFacts } from './feed-builder.ts';
import { isPackageName } from './ids.ts';
import { malformed } from './input.ts';

const [NEWLINE, TAB] = [0x0a, 0x09];

/** Identifiers that affect the same versions. */
export interface FeedGroup {
  /** By arch; see `FeedBuilder.finish`. */
  readonly verdict: string;
  /** Sorted, separated by blanks. */
  readonly ids: string;
}

export class Feed {
  readonly facts: FeedFacts;
  readonly digest: string;
  readonly #bytes: Buffer;
  /** The start of each package's line, and the end of the last one. */
  readonly #starts: Uint32Array;

  private constructor(read: FeedFacts, digest: string, bytes: Buffer, starts: Uint32Array) {
    this.facts = read;
    this.digest = digest;
    this.#bytes = bytes;
    this.#starts = starts;
  }

  /** Throws `feed-malformed` for bytes of another form. In steps, because there may be many packages. */
  static *read(bytes: Buffer, digest: string): Generator<undefined, Feed> {
    const headEnd = bytes.indexOf(NEWLINE);
    const read = headEnd < 0 ? undefined : readFacts(bytes.toString('utf8', 0, headEnd));
    if (!read) throw malformed('it was not written by this version');
    const starts = new Uint32Array(read.packages + 1);
    starts[0] = headEnd + 1;
    for (let i = 1; i <= read.packages; i += 1) {
      if (i % 512 === 0) yield;
      const end = bytes.indexOf(NEWLINE, starts[i - 1]);
      if (end < 0) throw malformed('it is truncated');
      starts[i] = end + 1;
    }
    return new Feed(read, digest, bytes, starts);
  }

  /** The groups of the package `name`. */
  groups(name: string): readonly FeedGroup[] {
    // Also because other characters would be cut to Latin-1 and find another package.
    if (!isPackageName(name)) return [];
    const line = this.#find(Buffer.from(`${name}\t`, 'latin1'));
    if (line === undefined) return [];
    const fields = this.#bytes
      .toString('latin1', this.#starts[line], (this.#starts[line + 1] as number) - 1)
      .split('\t');
    const groups: FeedGroup[] = [];
    for (let i = 1; i + 1 < fields.length; i += 2)
      groups.push({ verdict: fields[i] as string, ids: fields[i + 1] as string });
    return groups;
  }

  *names(): Generator<string> {
    for (const start of this.#starts.subarray(0, -1))
      yield this.#bytes.toString('latin1', start, this.#bytes.indexOf(TAB, start));
  }

  #find(key: Buffer): number | undefined {
    const orderOf = (line: number): number => {
      const start = this.#starts[line] as number;
      const end = Math.min(start + key.length, this.#bytes.length);
      return this.#bytes.compare(key, 0, key.length, start, end);
    };
    const lines = this.#starts.length - 1;
    const line = countBefore(lines, (each) => orderOf(each) < 0);
    return line < lines && orderOf(line) === 0 ? line : undefined;
  }
}

function readFacts(line: string): FeedFacts | undefined {
  try {
    const read = JSON.parse(line) as FeedFacts;
    return read.format === FORMAT && Number.isSafeInteger(read.packages) ? read : undefined;
  } catch {
    return undefined;
  }
}
