/**
 * Which versions an advisory affects, as feeds say it and as it is kept:
 *
 *     affected = "0" | interval { "," interval }
 *     interval = [">=" version] ("<" version | "<=" version | "!" [status {"+" status}]) | "=" version
 *
 * `<1.2-r3`: fixed in 1.2-r3. `!detection`: no fix, for any version. `0`: reviewed, affects no version.
 */
import { compareVersions, parseVersion, type Version } from '../apk/version.ts';

/** Versions from `from` (inclusive; `undefined`: from the first) on. */
export interface Interval {
  readonly from: Version | undefined;
  /** The first version that is not affected; `undefined` if unknown. */
  readonly before: Version | undefined;
  /** The last version that is affected. */
  readonly last: Version | undefined;
  /** Only unreviewed scanner results say so. */
  readonly unreviewed: boolean;
}

export interface Affected {
  /** By their beginning. Several may overlap: a version is affected if it is in any. */
  readonly intervals: readonly Interval[];
  /** Why there is no fix, in the feed's words, for intervals without an end. */
  readonly statuses: readonly string[];
}

export const NOT_AFFECTED = '0';
/** The status of an unreviewed scanner result. */
const UNREVIEWED = 'detection';
const INTERVAL = /^(?:>=([^<>=!]+))?(?:(<=?)([^<>=!]+)|!([a-z0-9_+]*))$/;

/** Parses texts made by `reduceSecdb` and `reduceOsv`; unreadable parts affect nothing. */
export function parseAffected(text: string): Affected {
  const intervals: Interval[] = [];
  const statuses = new Set<string>();
  for (const part of text === NOT_AFFECTED ? [] : text.split(',')) {
    const [match, from, operator, end, status] = INTERVAL.exec(part) ?? [];
    const only = part.startsWith('=') ? parseVersion(part.slice(1)) : undefined;
    if (only) intervals.push({ from: only, before: undefined, last: only, unreviewed: false });
    else if (match !== undefined) {
      const version = end === undefined ? undefined : parseVersion(end);
      intervals.push({
        from: from === undefined ? undefined : parseVersion(from),
        before: operator === '<' ? version : undefined,
        last: operator === '<=' ? version : undefined,
        unreviewed: status === UNREVIEWED,
      });
      for (const each of status?.split('+') ?? []) if (each !== '') statuses.add(each);
    }
  }
  return { intervals: intervals.sort(compareBeginnings), statuses: [...statuses] };
}

function compareBeginnings({ from: a }: Interval, { from: b }: Interval): number {
  return a && b ? compareVersions(a, b) : Number(!!a) - Number(!!b);
}

export function isAffected({ intervals }: Affected, version: Version): boolean {
  return intervals.some((interval) => contains(interval, version));
}

/** Whether only unreviewed scanner results say that a version is affected. */
export function isUnreviewed({ intervals }: Affected, version: Version): boolean {
  const around = intervals.filter((interval) => contains(interval, version));
  return around.length > 0 && around.every(({ unreviewed }) => unreviewed);
}

function contains({ from, before, last }: Interval, version: Version): boolean {
  if (from && compareVersions(version, from) < 0) return false;
  if (before) return compareVersions(version, before) < 0;
  return !last || compareVersions(version, last) <= 0;
}

/** The first version from `version` on that is not affected, as far as the feed names it. */
export function fixedIn({ intervals }: Affected, version: Version): Version | undefined {
  let fixed = version;
  // Those that were passed over begin no later, so they have ended.
  for (const interval of intervals) if (interval.before && contains(interval, fixed)) fixed = interval.before;
  const isStillAffected = intervals.some((interval) => contains(interval, fixed));
  return fixed === version || isStillAffected ? undefined : fixed;
}

/** Whether no fix is known: an interval has no end. */
export function isOpen({ intervals }: Affected): boolean {
  return intervals.some(({ before, last }) => !before && !last);
}

/** The highest fixed version; `undefined` if an interval has no end. */
export function highestFix({ intervals }: Affected): Version | undefined {
  let highest: Version | undefined;
  for (const { before } of intervals) {
    if (!before) return undefined;
    if (!highest || compareVersions(before, highest) > 0) highest = before;
  }
  return highest;
}

/** Affected if any of them is. */
export function unite(all: readonly Affected[]): Affected {
  const [only] = all;
  if (all.length === 1 && only) return only;
  return {
    intervals: all.flatMap(({ intervals }) => intervals).sort(compareBeginnings),
    statuses: [...new Set(all.flatMap(({ statuses }) => statuses))],
  };
}

/**
 * Of several records on one package, arch and identifier: a record without a fix leaves it open, otherwise the highest
 * fix counts, and any of them beats "not affected". Beside unreviewed scanner results, fixes count as well.
 */
export function combine(texts: readonly string[]): string {
  const parts = texts.flatMap((text) => text.split(','));
  const all = [...new Set(parts)].filter((part) => part !== NOT_AFFECTED);
  if (all.length < 2) return all[0] ?? NOT_AFFECTED;
  const open = all.filter((part) => part.startsWith('!'));
  if (open.length > 0) {
    const statuses = new Set(open.flatMap((part) => part.slice(1).split('+')).filter((each) => each !== ''));
    const text = `!${[...statuses].sort().join('+')}`;
    const others = all.filter((each) => !each.startsWith('!'));
    return text === `!${UNREVIEWED}` && others.length > 0 ? `${text},${combine(others)}` : text;
  }
  const fixes = all.map((part) => (/^<[^=]+$/.test(part) ? parseVersion(part.slice(1)) : undefined));
  if (!fixes.every((fix) => fix !== undefined)) return all.sort().join(',');
  return `<${fixes.reduce((highest, fix) => (compareVersions(fix, highest) > 0 ? fix : highest)).text}`;
}
