/**
 * APK versions, exactly as apk-tools 3 reads and orders them.
 *
 * Grammar (apk-package(5), "version"):
 *
 *   number{.number}[letter]{_suffix[number]}[~hash][-r number]
 *
 * with the suffixes alpha, beta, pre, rc (before the release) and cvs, svn, git, hg, p (after it), and a hash of
 * lower-case hexadecimal digits. A version is a list of parts, and the order of their kinds is the rule: if two
 * versions are equal so far, the one whose next part is of the earlier kind is newer.
 */

/** In the order of parts in a version. */
const Kind = {
  first: 0,
  number: 1,
  letter: 2,
  suffix: 3,
  suffixNumber: 4,
  hash: 5,
  revision: 6,
  end: 7,
} as const;
type Kind = (typeof Kind)[keyof typeof Kind];

/** Older to newer; a version without a suffix is between `rc` and `cvs`. */
const suffixes = ['alpha', 'beta', 'pre', 'rc', 'cvs', 'svn', 'git', 'hg', 'p'] as const;
const preReleaseSuffixes = 4;

interface Part {
  readonly kind: Kind;
  readonly text: string;
  /** Numeric value, or the rank of a suffix. A bigint if it exceeds a double's precision. */
  readonly value: number | bigint;
}

/** A valid version. It exists only because `parseVersion` made it. */
export interface Version {
  readonly text: string;
  readonly parts: readonly Part[];
}

const end: Part = { kind: Kind.end, text: '', value: 0 };

const [ZERO, NINE, LETTER_A, LETTER_F, LETTER_Z] = [0x30, 0x39, 0x61, 0x66, 0x7a];
const isDigit = (code: number): boolean => code >= ZERO && code <= NINE;
const isLetter = (code: number): boolean => code >= LETTER_A && code <= LETTER_Z;
const isHex = (code: number): boolean => isDigit(code) || (code >= LETTER_A && code <= LETTER_F);

/** Far longer than any real version. A line of an index, which apk would refuse, may have megabytes. */
const MAX_LENGTH = 4096;

/** Parses a version; `undefined` if apk calls it invalid, or if it is too long. */
export function parseVersion(text: string): Version | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const parts: Part[] = [];
  let position = 0;

  const take = (accepts: (code: number) => boolean): string => {
    const start = position;
    while (position < text.length && accepts(text.charCodeAt(position))) position += 1;
    return text.slice(start, position);
  };
  const takeNumber = (kind: Kind): boolean => {
    const digits = take(isDigit);
    if (digits !== '') parts.push({ kind, text: digits, value: numericValue(digits) });
    return digits !== '';
  };

  if (!takeNumber(Kind.first)) return undefined;
  while (text[position] === '.') {
    position += 1;
    if (!takeNumber(Kind.number)) return undefined;
  }
  if (isLetter(text.charCodeAt(position))) {
    parts.push({ kind: Kind.letter, text: text.charAt(position), value: text.charCodeAt(position) });
    position += 1;
  }
  while (text[position] === '_') {
    position += 1;
    const rank = suffixes.indexOf(take(isLetter) as (typeof suffixes)[number]);
    if (rank < 0) return undefined;
    parts.push({ kind: Kind.suffix, text: suffixes[rank] as string, value: rank });
    takeNumber(Kind.suffixNumber);
  }
  if (text[position] === '~') {
    position += 1;
    const hash = take(isHex);
    if (hash === '') return undefined;
    parts.push({ kind: Kind.hash, text: hash, value: 0 });
  }
  if (text.startsWith('-r', position)) {
    position += 2;
    if (!takeNumber(Kind.revision)) return undefined;
  }
  return position === text.length ? { text, parts } : undefined;
}

/** apk uses unsigned 64-bit numbers; longer ones wrap. */
function numericValue(digits: string): number | bigint {
  return digits.length <= 15 ? Number(digits) : BigInt.asUintN(64, BigInt(digits));
}

/** Negative if `left` is older than `right`, positive if newer, zero if apk calls them equal. */
export function compareVersions(left: Version, right: Version): number {
  for (let i = 0; ; i += 1) {
    const a = left.parts[i] ?? end;
    const b = right.parts[i] ?? end;
    if (a.kind !== b.kind) return compareContinuation(a, b);
    if (a.kind === Kind.end) return 0;
    const order = compareParts(a, b);
    if (order !== 0) return order;
  }
}

/** If two versions are equal so far, the longer one is newer, unless it continues with a pre-release. */
function compareContinuation(a: Part, b: Part): number {
  if (isPreReleasePart(a)) return -1;
  if (isPreReleasePart(b)) return 1;
  return b.kind - a.kind;
}

function compareParts(a: Part, b: Part): number {
  const asText =
    a.kind === Kind.hash || (a.kind === Kind.number && (a.text.startsWith('0') || b.text.startsWith('0')));
  if (asText) return compareOrder(a.text, b.text);
  return compareOrder(a.value, b.value);
}

function compareOrder<T extends string | number | bigint>(a: T, b: T): number {
  return a < b ? -1 : Number(a > b);
}

function isPreReleasePart(part: Part): boolean {
  return part.kind === Kind.suffix && part.value < preReleaseSuffixes;
}

/** Whether this is an alpha, beta, pre or rc, by the grammar alone. Numbers such as `1.99` are not interpreted. */
export function isPreRelease(version: Version): boolean {
  return version.parts.some(isPreReleasePart);
}

/** Whether `line` is a prefix of `version`, part by part: `1.35` is one of `1.35.4-r1`, not of `1.350`. */
export function isInLine(version: Version, line: Version): boolean {
  return line.parts.every((part, i) => {
    const own = version.parts[i];
    return own !== undefined && own.kind === part.kind && compareParts(own, part) === 0;
  });
}

/** The text of `version`, as precise as `line`: `8.21` for `8.12`. Lines of more than numbers ask for all of it. */
export function asPrecise(version: Version, line: Version): string {
  const wanted = numbersOf(line);
  if (wanted.join('.') !== line.text) return version.text;
  return numbersOf(version).slice(0, wanted.length).join('.');
}

/** The leading numbers, as text. */
export function numbersOf({ text }: Version): readonly string[] {
  return (/^\d+(?:\.\d+)*/.exec(text)?.[0] ?? '').split('.');
}

/** The N of `-rN`; `undefined` for a version without a revision. */
export function revisionOf(version: Version): string | undefined {
  const last = version.parts.at(-1);
  return last?.kind === Kind.revision ? last.text : undefined;
}

/** The version without its `-rN`. */
export function withoutRevision(version: Version): Version {
  if (revisionOf(version) === undefined) return version;
  return { text: version.text.slice(0, version.text.lastIndexOf('-')), parts: version.parts.slice(0, -1) };
}

/**
 * A text that sorts like the version: `orderKey(a) < orderKey(b)` if `compareVersions(a, b) < 0`. Keys compare much
 * faster than versions; use them to sort many.
 */
export function orderKey({ parts }: Version): string {
  let key = '';
  for (const part of parts) key += orderKeyOf(part);
  return key + END_KEY;
}

/** Older to newer: a pre-release is older than the end, and a part of an earlier kind is newer than one of a later. */
const [PRE_RELEASE_KEY, END_KEY] = ['A', 'B'] as const;
const kindKeys: Readonly<Record<Kind, string>> = {
  [Kind.end]: END_KEY,
  [Kind.revision]: 'C',
  [Kind.hash]: 'D',
  [Kind.suffixNumber]: 'E',
  [Kind.suffix]: 'F',
  [Kind.letter]: 'G',
  [Kind.number]: 'H',
  [Kind.first]: 'I',
};

/** Texts end with a blank, which sorts before all their characters; numbers begin with their length. */
function orderKeyOf(part: Part): string {
  const { kind, text, value } = part;
  const kindKey = isPreReleasePart(part) ? PRE_RELEASE_KEY : kindKeys[kind];
  if (kind === Kind.hash || (kind === Kind.number && text.startsWith('0'))) return `${kindKey}${text} `;
  const digits = String(value);
  return kindKey + String.fromCharCode(LETTER_A + digits.length) + digits;
}

/** A text that is the same for versions that apk calls equal, such as `1.0-r1` and `01.0-r01`. */
export function canonicalText({ text, parts }: Version): string {
  return parts.some(canBeSpelledOtherwise) ? parts.map(canonicalPart).join('') : text;
}

function canBeSpelledOtherwise({ text, value }: Part): boolean {
  return typeof value === 'bigint' || (text.length > 1 && text.startsWith('0'));
}

function canonicalPart({ kind, text, value }: Part): string {
  switch (kind) {
    case Kind.number:
      // A number that wraps to 0 differs from `.0`, which is compared as text.
      return text.startsWith('0') ? `.${text}` : `.${value || 'wrapped'}`;
    case Kind.letter:
      return text;
    case Kind.suffix:
      return `_${text}`;
    case Kind.hash:
      return `~${text}`;
    case Kind.revision:
      return `-r${value}`;
    case Kind.first:
    case Kind.suffixNumber:
      return String(value);
    case Kind.end:
      return '';
  }
}
