/**
 * The one way to ask a datasource: what the HTTP routes, `export` and the command line call. Rendered answers are kept
 * for their generation, so that an answer is made once however often it is asked for.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { parseVersions, releasesFor, type Release } from './catalog/answer.ts';
import type { NameReport } from './catalog/catalog.ts';
import { CloseNames } from './catalog/close-names.ts';
import type { LookupQuery } from './catalog/query.ts';
import { renderAnswer } from './catalog/renovate.ts';
import type { Snapshot } from './repository/live-datasource.ts';
import type { ServedVersions } from './served-versions.ts';

export interface Answer {
  readonly body: string;
  /** Strong, of the body: an answer that a refresh did not change keeps it. */
  readonly etag: string;
  /** A name that no index knows, with names that are close. */
  readonly found: boolean;
}

export interface Lookup {
  /** The name of the datasource. */
  readonly datasource: string;
  readonly snapshot: Snapshot;
  readonly name: string;
  readonly query: LookupQuery;
}

const CACHE_BYTES = 16 * 1024 * 1024;

export class Lookups {
  readonly #served: ServedVersions;
  readonly #answers = new LRUCache<string, Answer>({
    maxSize: CACHE_BYTES,
    sizeCalculation: ({ body }, key) => 2 * (body.length + key.length) + 200,
  });

  readonly #closeNames = new WeakMap<Snapshot, CloseNames>();
  readonly #serials = new WeakMap<Snapshot, number>();
  #lastSerial = 0;

  constructor(served: ServedVersions) {
    this.#served = served;
  }

  /** The answer in JSON. */
  answer(lookup: Lookup): Answer {
    const key = cacheKey(lookup, this.#serialOf(lookup.snapshot));
    const kept = this.#answers.get(key);
    if (kept) return kept;
    const { answer } = this.once(lookup);
    this.#answers.set(key, answer);
    return answer;
  }

  /** The answer and the releases behind it, for a caller that asks for every name once: it is not kept. */
  once(lookup: Lookup): { answer: Answer; releases: readonly Release[] } {
    const { datasource, snapshot, name, query } = lookup;
    const report = snapshot.catalog.report(name, query.archs);
    if (report.versions.length === 0)
      return { answer: rendered(false, this.#unknownName(lookup, report.archs)), releases: [] };
    const releases = this.#releases(datasource, report, query);
    const { stripRevision, current } = query;
    const answer = renderAnswer(releases, { stripRevision, current: current?.version.text });
    return { answer: rendered(true, answer), releases };
  }

  /** What a lookup of a name that no index knows is told. */
  #unknownName({ datasource, snapshot, name }: Lookup, archs: readonly string[]): object {
    const names = this.#closeNames.get(snapshot) ?? new CloseNames(snapshot.catalog.names());
    this.#closeNames.set(snapshot, names);
    return {
      error: `no package ${name} in ${datasource} (${archs.join(', ')})`,
      datasource,
      archs,
      closeNames: names.to(name),
    };
  }

  /** Snapshots are told apart by what they are: two of one generation need not have been read by one process. */
  #serialOf(snapshot: Snapshot): number {
    const known = this.#serials.get(snapshot);
    if (known !== undefined) return known;
    this.#lastSerial += 1;
    this.#serials.set(snapshot, this.#lastSerial);
    return this.#lastSerial;
  }

  /** Was any version of the name told of at any time? */
  wasServed(datasource: string, name: string): boolean {
    return this.#served.recall(datasource, name).length > 0;
  }

  /** The releases behind the answer, oldest first. */
  releases({ datasource, snapshot, name, query }: Lookup): readonly Release[] {
    const report = snapshot.catalog.report(name, query.archs);
    return this.#releases(datasource, report, query);
  }

  #releases(datasource: string, report: NameReport, query: LookupQuery): readonly Release[] {
    const remembered = query.current ? [] : parseVersions(this.#served.recall(datasource, report.name));
    const releases = releasesFor(report, query, remembered);
    const offered = report.versions.filter((version) => version.offered).map(({ version }) => version);
    if (offered.length > 0) this.#served.note(datasource, report.name, offered);
    return releases;
  }
}

function rendered(found: boolean, value: object): Answer {
  const body = JSON.stringify(value);
  return { body, found, etag: `"${createHash('sha1').update(body).digest('base64url')}"` };
}

function cacheKey({ datasource, name, query }: Lookup, serial: number): string {
  const { archs, current, line, stripRevision } = query;
  return JSON.stringify([
    datasource,
    serial,
    name,
    archs,
    current?.operator,
    current?.version.text,
    line?.text,
    stripRevision,
  ]);
}
