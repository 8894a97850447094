/**
 * A read index as bytes, so that a start need not read it again: its table as it is in memory, behind a line of JSON.
 *
 * Such bytes vouch for nothing. They stand for an archive only if they name it and were made under the same terms –
 * layout, limits, arch –; the archive's own signature is verified before they are looked at. A checksum finds damage. Who can write them can make them say anything, so the caller has to read the archive anyway
 * when there is time, and to compare (docs/decisions/007).
 */
import { crc32 } from 'node:zlib';
import { PackageTable, type Columns } from './package-table.ts';
import { inPieces, type Pause } from './pieces.ts';
import { verifyArchive, type ReadOptions, type VerifiedIndex } from './read-index.ts';
import { StringList, StringTable } from './string-table.ts';

/** Changes with the layout, and with whatever the scanner makes of a text. */
const FORMAT = 2;
const NEWLINE = 0x0a;
const MAX_HEADER_BYTES = 64 * 1024;

/** Numbers lie in the bytes in the order of this machine. */
const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

type Terms = Pick<ReadOptions, 'limits' | 'arch'>;
type Facts = Pick<VerifiedIndex, 'arch' | 'newestBuiltAt' | 'report' | 'description' | 'madeAt' | 'digest'>;

interface Header {
  readonly terms: string;
  /** Which archive it was made of. */
  readonly archive: string;
  /** Of facts, lengths and parts. */
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
  'dependencies',
  'builtAt',
  'priority',
] as const satisfies (keyof Columns)[];

/** The bytes of an index that was read from `archive` under these terms. Its table is not copied. */
export async function packIndex(
  index: VerifiedIndex,
  archive: Uint8Array,
  terms: Terms,
  pause?: Pause,
): Promise<Uint8Array[]> {
  const { arch, newestBuiltAt, report, description, madeAt, digest } = index;
  const parts = partsOf(index.packages);
  const facts = { arch, newestBuiltAt, report, description, madeAt, digest };
  const lengths = parts.map((part) => part.byteLength);
  const checksum = await checksumOf({ facts, lengths }, parts, pause);
  const header: Header = {
    terms: describe(terms),
    archive: identify(archive),
    checksum,
    lengths,
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
  const { keyName } = await verifyArchive(archive, options);
  if (identify(archive) !== header.value.archive) return undefined;
  const parts = cut(packed, header.end, header.value);
  const { facts, checksum } = header.value;
  if (!parts || (await checksumOf(header.value, parts, options.pause)) !== checksum) return undefined;
  return { ...facts, packages: tableOf(parts), keyName };
}

/** Do two indexes hold the very same table? */
export function isSameTable(a: PackageTable, b: PackageTable): boolean {
  const [left, right] = [partsOf(a), partsOf(b)];
  return left.every((part, i) => Buffer.compare(part, right[i] as Uint8Array) === 0);
}

function describe({ limits, arch }: Terms): string {
  return JSON.stringify([FORMAT, LITTLE_ENDIAN, limits, arch]);
}

/** Tells archives apart by their length and what a gzip file ends with: checksum and length of what it holds. */
function identify(archive: Uint8Array): string {
  return `${archive.length} ${Buffer.from(archive.subarray(-8)).toString('hex')}`;
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
  { facts, lengths }: Pick<Header, 'facts' | 'lengths'>,
  parts: readonly Uint8Array[],
  pause: Pause | undefined,
): Promise<number> {
  let sum = crc32(JSON.stringify([facts, lengths]));
  for (const part of parts) {
    await inPieces(part, pause, (piece) => {
      sum = crc32(piece, sum);
    });
  }
  return sum;
}

/** Everything a table is made of: numbers of four bytes first, which have to be aligned. */
function partsOf({ strings, columns, byName, byProvide }: PackageTable): Uint8Array[] {
  const [names, values, commits] = [strings.names.parts(), strings.values.parts(), strings.commits.parts()];
  const numbers = [
    ...columnNames.map((name) => columns[name]),
    byName.starts,
    byName.rows,
    byProvide.starts,
    byProvide.rows,
    names.starts,
    names.slots,
    values.starts,
    commits.starts,
  ];
  return [...numbers.map(bytesOf), columns.flags, names.blob, values.blob, commits.blob];
}

function tableOf(parts: readonly Uint8Array[]): PackageTable {
  let next = 0;
  const bytes = (): Uint8Array => parts[next++] as Uint8Array;
  const numbers = (): Uint32Array => {
    const { buffer, byteOffset, byteLength } = bytes();
    return new Uint32Array(buffer, byteOffset, byteLength / 4);
  };
  // In the order of `partsOf`.
  const columns = Object.fromEntries(columnNames.map((name) => [name, numbers()])) as Record<
    (typeof columnNames)[number],
    Uint32Array
  >;
  const byName = { starts: numbers(), rows: numbers() };
  const byProvide = { starts: numbers(), rows: numbers() };
  const names = { starts: numbers(), slots: numbers() };
  const [valueStarts, commitStarts] = [numbers(), numbers()];
  const flags = bytes();
  const strings = {
    names: StringTable.of({ ...names, blob: bytes() }),
    values: new StringList({ starts: valueStarts, blob: bytes() }, valueStarts.length - 1),
    commits: new StringList({ starts: commitStarts, blob: bytes() }, commitStarts.length - 1),
  };
  return new PackageTable(strings, { ...columns, flags }, { byName, byProvide });
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
