/**
 * Records of OSV (https://ossf.github.io/osv-schema/) on APK packages: Chainguard's feeds, MinimOS's and the archives of
 * OSV.dev. A record is of one package and arch, or of several. Versions are compared as apk does, whatever a feed lists.
 */
import { compareVersions, parseVersion, type Version } from '../apk/version.ts';
import { NOT_AFFECTED } from './affected.ts';
import { FeedBuilder } from './feed-builder.ts';
import { idsIn, isPackageName } from './ids.ts';
import { asObject } from './input.ts';

/** Ecosystems without branches; by default a feed of several is used as a whole. */
const WITHOUT_BRANCH: readonly string[] = ['Wolfi', 'Chainguard', 'MinimOS'];

/** Requires a zone: without one, `Date.parse` would assume local time. */
const TIME = /^\d{4}-\d\d-\d\d(T[\d:.]{5,30}(Z|[+-]\d\d:\d\d))?$/;

/** Collects records one by one. */
export class OsvReducer {
  readonly #builder = new FeedBuilder();
  readonly #wanted: readonly string[];
  #records = 0;
  readonly #latest: number;
  /** Unix milliseconds. */
  #newest = 0;

  /**
   * `ecosystems` are OSV's names, such as `Wolfi` or `Alpine:v3.22`; without, all that have no branches. Times of records
   * later than `latest` (unix milliseconds) are ignored.
   */
  constructor(latest: number, ecosystems: readonly string[] = WITHOUT_BRANCH) {
    this.#latest = latest;
    this.#wanted = ecosystems;
  }

  add(value: unknown): void {
    const record = asObject(value);
    if (!record || typeof record['id'] !== 'string') {
      this.#builder.skip('a record without an id');
      return;
    }
    this.#records += 1;
    const { id, modified, withdrawn, affected } = record;
    const time = typeof modified === 'string' && TIME.test(modified) ? Date.parse(modified) : NaN;
    if (time > this.#newest && time <= this.#latest) this.#newest = time;
    if (withdrawn !== undefined && withdrawn !== null) return;
    if (!Array.isArray(affected)) {
      this.#builder.skip(`${id}: no list of affected packages`);
      return;
    }
    const ids = idsOf(record);
    if (ids.length === 0) this.#builder.skip(`${id}: an invalid identifier`);
    else for (const each of affected) this.#addAffected(id, ids, asObject(each));
  }

  skip(fact: string): void {
    this.#builder.skip(fact);
  }

  get records(): number {
    return this.#records;
  }

  finish(): Buffer {
    return this.#builder.finish({
      kind: 'osv',
      records: this.#records,
      ...(this.#newest > 0 && { newest: new Date(this.#newest).toISOString() }),
    });
  }

  #addAffected(
    record: string,
    ids: readonly string[],
    entry: Readonly<Record<string, unknown>> | undefined,
  ): void {
    const { ecosystem, name, purl } = asObject(entry?.['package']) ?? {};
    if (typeof ecosystem !== 'string' || !this.#wanted.includes(ecosystem)) return;
    if (!entry || !isPackageName(name)) {
      this.#builder.skip(`${record}: a package without a name`);
      return;
    }
    const affected = affectedBy(entry);
    if (affected === undefined) this.#builder.skip(`${record}: no usable versions`);
    else this.#builder.add({ name, arch: archOf(purl), ids, affected });
  }
}

/**
 * The identifiers of the vulnerability, or the record's own if there are none. A CVE or GHSA record is the
 * vulnerability itself; its related ones are others.
 */
function idsOf({ id, upstream, aliases, related }: Readonly<Record<string, unknown>>): readonly string[] {
  if (/^(CVE|GHSA)-/.test(String(id))) return [String(id), ...texts(aliases)].flatMap(idsIn);
  for (const each of [upstream, aliases, related]) {
    const ids = texts(each).flatMap(idsIn);
    if (ids.length > 0) return ids;
  }
  return idsIn(String(id));
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

function archOf(purl: unknown): string | undefined {
  const arch = typeof purl === 'string' ? /[?&]arch=([a-z0-9_]{1,20})(?:&|$)/.exec(purl)?.[1] : undefined;
  return arch === 'source' ? undefined : arch;
}

/**
 * In the form of `affected.ts`; `undefined` if nothing is usable. Listed versions count only if there is no range, or an
 * unusable one: it may affect versions behind the fix of another.
 */
function affectedBy(entry: Readonly<Record<string, unknown>>): string | undefined {
  const listed: readonly unknown[] = Array.isArray(entry['ranges']) ? entry['ranges'] : [];
  const ranges = listed.map(asObject).filter((range) => range?.['type'] === 'ECOSYSTEM');
  const open = `!${statusesOf(entry).join('+')}`;
  const read = ranges.map((range) => intervalsOf(range, open));
  if (read.length > 0 && read.every((each) => each !== undefined))
    return read.flat().join(',') || NOT_AFFECTED;
  const versions = texts(entry['versions']).filter((each) => parseVersion(each));
  return versions.length > 0 ? versions.map((each) => `=${each}`).join(',') : undefined;
}

/** The statuses of components, if one of them is affected. */
function statusesOf(entry: Readonly<Record<string, unknown>>): readonly string[] {
  const components = asObject(entry['ecosystem_specific'])?.['components'];
  if (!Array.isArray(components)) return [];
  const statuses = components.map((each) => asObject(each)?.['latest_event_status']);
  const words = statuses.filter(
    (each): each is string => typeof each === 'string' && /^[a-z0-9_]{1,40}$/.test(each),
  );
  return [...new Set(words)].sort();
}

type EventKind = 'introduced' | 'fixed' | 'last_affected';
const eventKinds: readonly EventKind[] = ['introduced', 'fixed', 'last_affected'];

interface Event {
  readonly kind: EventKind;
  /** `undefined` is the beginning: OSV's `"0"`. */
  readonly version: Version | undefined;
}

/** None for an empty range, `undefined` for an unusable one. */
function intervalsOf(
  range: Readonly<Record<string, unknown>> | undefined,
  open: string,
): readonly string[] | undefined {
  const list = range?.['events'];
  if (!Array.isArray(list)) return undefined;
  const read = list.map((each) => eventsOf(asObject(each)));
  if (!read.every((each) => each !== undefined)) return undefined;
  const events = read.flat();
  const introductions = events.filter(({ kind }) => kind === 'introduced').length;
  if (introductions === 0) return undefined;
  events.sort((a, b) => compareBounds(a, b) || eventKinds.indexOf(a.kind) - eventKinds.indexOf(b.kind));
  const intervals: string[] = [];
  let from: Event | undefined;
  // A second introduction counts if the first one is fixed by that version.
  let again: Event | undefined;
  for (const event of events) {
    if (event.kind === 'introduced') {
      from ??= event;
      if (compareBounds(from, event) < 0) again = event;
    } else if (from) {
      const isEmpty = event.kind === 'fixed' && compareBounds(from, event) >= 0;
      const operator = event.kind === 'fixed' ? '<' : '<=';
      if (!isEmpty && event.version) intervals.push(`${fromText(from)}${operator}${event.version.text}`);
      from = again && compareBounds(again, event) === 0 ? again : undefined;
    }
  }
  // A range with one introduction, which is after its fix, is empty.
  const isReversed = introductions === 1 && events[0]?.kind !== 'introduced';
  if (from && !isReversed) intervals.push(`${fromText(from)}${open}`);
  return intervals;
}

function fromText({ version }: Event): string {
  return version ? `>=${version.text}` : '';
}

/** `undefined` for an invalid version; other events are ignored. */
function eventsOf(event: Readonly<Record<string, unknown>> | undefined): readonly Event[] | undefined {
  const events: Event[] = [];
  for (const kind of eventKinds) {
    const text = event?.[kind];
    if (typeof text !== 'string') continue;
    const version = text === '0' ? undefined : parseVersion(text);
    if (text !== '0' && !version) return undefined;
    events.push({ kind, version });
  }
  return events;
}

function compareBounds({ version: a }: Event, { version: b }: Event): number {
  return a && b ? compareVersions(a, b) : Number(!!a) - Number(!!b);
}
