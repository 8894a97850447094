/**
 * A read index as bytes, so that a start need not read it again: its table as it is in memory, behind a line of JSON.
 *
 * Such bytes vouch for nothing. They stand for an archive only if they name the digest of its body and were made under
 * the same terms – layout, limits, arch –; the archive's own signature is verified before they are looked at. A
 * checksum finds damage. Who can write them can make them say anything, so the caller has to read the archive anyway
 * when there is time, and to compare (docs/decisions/007).
 */
import { crc32 } from 'node:zlib';
import { PackageTable, type Columns } from './package-table.ts';
import { digestOf, verifyArchive, type ReadOptions, type VerifiedIndex } from './read-index.ts';
import { StringTable } from './string-table.ts';

/** Changes with the layout, and with whatever the scanner makes of a text. */
const FORMAT = 1;
const NEWLINE = 0x0a;
const MAX_HEADER_BYTES = 64 * 1024;
const CHECKED_AT_ONCE = 1024 * 1024;

/** Numbers lie in the bytes in the order of this machine. */
const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

type Terms = Pick<ReadOptions, 'limits' | 'arch'>;
type Facts = Pick<VerifiedIndex, 'arch' | 'newestBuiltAt' | 'report' | 'description' | 'madeAt'>;

interface Header {
  readonly terms: string;
  readonly digest: string;
  readonly checksum: number;
  /** Of the parts, in their order. */
  readonly lengths: readonly number[];
  readonly facts: Facts;
}

const columnNames = [
  'name',
  'version',
  'origin',
  'commit',
  'url',
  'provides',
  'exactDependencies',
  'builtAt',
] as const satisfies (keyof Columns)[];

/** The bytes of an index that was read under these terms. Its table is not copied. */
export async function packIndex(
  index: VerifiedIndex,
  terms: Terms,
  pause?: ReadOptions['pause'],
): Promise<Uint8Array[]> {
  const { arch, newestBuiltAt, report, description, madeAt, digest } = index;
  const parts = partsOf(index.packages);
  const facts = { arch, newestBuiltAt, report, description, madeAt };
  const header: Header = {
    terms: describe(terms),
    digest,
    checksum: await checksumOf(facts, parts, pause),
    lengths: parts.map((part) => part.byteLength),
    facts,
  };
  const json = JSON.stringify(header);
  // Padded, so that the numbers behind it are aligned.
  const padding = ' '.repeat((4 - ((Buffer.byteLength(json) + 1) % 4)) % 4);
  return [Buffer.from(`${json}${padding}\n`), ...parts];
}

/** The index that `packed` holds if it is that of `archive`, whose signature is verified; `undefined` otherwise. */
export async function unpackIndex(
  packed: Uint8Array,
  archive: Uint8Array,
  options: ReadOptions,
): Promise<VerifiedIndex | undefined> {
  const header = readHeader(packed);
  if (header?.value.terms !== describe(options)) return undefined;
  const { body, keyName } = await verifyArchive(archive, options.keys);
  const digest = await digestOf(body, options.pause);
  if (digest !== header.value.digest) return undefined;
  const parts = cut(packed, header.end, header.value);
  const { facts, checksum } = header.value;
  if (!parts || (await checksumOf(facts, parts, options.pause)) !== checksum) return undefined;
  return { ...facts, packages: tableOf(parts), keyName, digest };
}

/** Do two indexes hold the very same table? */
export function isSameTable(a: PackageTable, b: PackageTable): boolean {
  const [left, right] = [partsOf(a), partsOf(b)];
  return left.every((part, i) => Buffer.compare(part, right[i] as Uint8Array) === 0);
}

function describe({ limits, arch }: Terms): string {
  return JSON.stringify([FORMAT, LITTLE_ENDIAN, limits, arch]);
}

function readHeader(packed: Uint8Array): { value: Header; end: number } | undefined {
  const end = packed.subarray(0, MAX_HEADER_BYTES).indexOf(NEWLINE) + 1;
  if (end === 0 || packed.byteOffset % 4 !== 0) return undefined;
  try {
    return { value: JSON.parse(Buffer.from(packed.subarray(0, end)).toString('utf8')) as Header, end };
  } catch {
    return undefined;
  }
}

/** The parts behind the header, or `undefined` where something is missing or too much. */
function cut(packed: Uint8Array, start: number, { lengths }: Header): Uint8Array[] | undefined {
  const total = lengths.reduce((sum, length) => sum + length, start);
  if (total !== packed.length) return undefined;
  let place = start;
  return lengths.map((length) => packed.subarray(place, (place += length)));
}

async function checksumOf(
  facts: Facts,
  parts: readonly Uint8Array[],
  pause: ReadOptions['pause'],
): Promise<number> {
  let sum = crc32(JSON.stringify(facts));
  for (const part of parts) {
    for (let start = 0; start < part.length; start += CHECKED_AT_ONCE) {
      sum = crc32(part.subarray(start, start + CHECKED_AT_ONCE), sum);
      await pause?.();
    }
  }
  return sum;
}

/** Everything a table is made of: numbers of four bytes first, which have to be aligned. */
function partsOf({ strings, columns, byName, byProvide }: PackageTable): Uint8Array[] {
  const { starts, hashes, slots, blob } = strings.parts();
  const numbers = [
    ...columnNames.map((name) => columns[name]),
    byName.starts,
    byName.rows,
    byProvide.starts,
    byProvide.rows,
    starts,
    hashes,
    slots,
  ];
  return [...numbers.map(bytesOf), columns.unusable, blob];
}

function tableOf(parts: readonly Uint8Array[]): PackageTable {
  const numbers = (i: number): Uint32Array => {
    const { buffer, byteOffset, byteLength } = parts[i] as Uint8Array;
    return new Uint32Array(buffer, byteOffset, byteLength / 4);
  };
  const [name, version, origin, commit, url, provides, exactDependencies, builtAt] = columnNames.map((_, i) =>
    numbers(i),
  ) as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ];
  const next = columnNames.length;
  const strings = StringTable.of({
    starts: numbers(next + 4),
    hashes: numbers(next + 5),
    slots: numbers(next + 6),
    blob: parts[next + 8] as Uint8Array,
  });
  const unusable = parts[next + 7] as Uint8Array;
  return new PackageTable(
    strings,
    { name, version, origin, commit, url, provides, exactDependencies, builtAt, unusable },
    { starts: numbers(next), rows: numbers(next + 1) },
    { starts: numbers(next + 2), rows: numbers(next + 3) },
  );
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
