/** Looks up names in a datasource. HTTP routes, `export` and the command line all use this. */
import { parseVersions, releasesFor, type Release } from './releases.ts';
import { CloseNames } from './close-names.ts';
import type { LookupQuery } from './query.ts';
import { nameWith } from '../catalog/age.ts';
import { heldBackIn, withPinned, type HeldBack } from './held-back.ts';
import { filterInSteps, finish, Shared } from '../catalog/steps.ts';
import { etagInSteps, etagOf, type Body } from './body.ts';
import { renderInSteps, type RenderOptions } from './render.ts';
import { Security, securityMarks, versionAt, type UrgentFix } from './security.ts';
import type { Snapshot } from '../repository/live-datasource.ts';
import { MAX_VERSIONS, type ServedVersions } from './served-versions.ts';
import { withdrawalMark } from './withdrawal-text.ts';

export interface Answer {
  readonly body: Body;
  /** Strong tag of the body. If a refresh does not change an answer, its tag stays. */
  readonly etag: string;
  /** False for a name that is in no index; the body then lists similar names. */
  readonly found: boolean;
}

export interface Lookup {
  /** The name of the datasource. */
  readonly datasource: string;
  readonly snapshot: Snapshot;
  readonly name: string;
  readonly query: LookupQuery;
}

/** What a lookup of a known name finds. */
export interface Found {
  readonly releases: readonly Release[];
  /** Marks about the pin, appended to the changelog link; may be empty. */
  readonly marks: string;
  /** The fixes that need not wait; absent without advisories. */
  readonly urgent?: readonly UrgentFix[];
}

export class Lookups {
  readonly #served: ServedVersions;
  readonly #closeNames = new Shared(({ catalog }: Snapshot) => CloseNames.of(catalog.names()));

  constructor(served: ServedVersions) {
    this.#served = served;
  }

  /** The answer and the releases behind it. */
  answer(lookup: Lookup): { answer: Answer; releases: readonly Release[] } {
    const found = finish(this.lookUpInSteps(lookup));
    if (found) return { answer: finish(this.renderInSteps(found, lookup.query)), releases: found.releases };
    const body = JSON.stringify(finish(this.unknownName(lookup)));
    return { answer: { body, found: false, etag: etagOf(body) }, releases: [] };
  }

  /** The releases that match the query, oldest first; `undefined` for a name that is in no index. */
  *lookUpInSteps(lookup: Lookup): Generator<undefined, Found | undefined> {
    const { datasource, snapshot, name, query } = lookup;
    const shown = yield* snapshot.catalog.reportInSteps(name, query.archs);
    const heldBack = yield* heldBackIn(snapshot, shown);
    if (shown.versions.length === 0 && !heldBack) return undefined;
    const report = yield* withPinned(shown, heldBack, query);
    // Versions served at other times did not exist then.
    const isPast = snapshot.past !== undefined;
    const remembered = query.current || isPast ? [] : parseVersions(this.#withdrawn(lookup, heldBack));
    const releases = yield* releasesFor(report, query, remembered);
    const offered = yield* filterInSteps(shown.versions, (version) => version.offered);
    const newest = offered.slice(-MAX_VERSIONS).map(({ version }) => version);
    if (newest.length > 0 && !isPast) this.#served.note(datasource, servedKey(lookup), newest);
    const from = yield* versionAt(report, query);
    if (!from) return { releases, marks: '' };
    const withdrawal = yield* withdrawalMark(report, snapshot.catalog.sources, from);
    if (!snapshot.advisories) return { releases, marks: withdrawal };
    const security = new Security(snapshot.advisories, report);
    const { text, urgent } = yield* securityMarks(security, from, query, releases);
    return { releases, marks: withdrawal + text, urgent };
  }

  /** Versions that this service served and the repositories no longer offer. */
  #withdrawn(lookup: Lookup, heldBack: HeldBack | undefined): readonly string[] {
    const served = this.#served.recall(lookup.datasource, servedKey(lookup));
    if (!heldBack) return served;
    const there = new Set(heldBack.versions.map(({ version }) => version));
    return served.filter((version) => !there.has(version));
  }

  /** Whether any version of the name was ever served, for the requested archs. */
  wasServed(lookup: Lookup): boolean {
    return this.#served.recall(lookup.datasource, servedKey(lookup)).length > 0;
  }

  /** Versions of the name that were ever served, newest first. */
  served(datasource: string, name: string): readonly string[] {
    return this.#served.recall(datasource, name);
  }

  *renderInSteps(
    { releases, marks }: Found,
    { stripRevision, current }: LookupQuery,
    options: Pick<RenderOptions, 'page' | 'replaceLink'> = {},
  ): Generator<undefined, Answer> {
    const ofPin = { stripRevision, current: current?.version.text, marks };
    const body = yield* renderInSteps(releases, { ...ofPin, ...options });
    return { body, found: true, etag: yield* etagInSteps(body) };
  }

  /** The answer for a name that is in no index. */
  *unknownName({ datasource, snapshot, name, query }: Lookup): Generator<undefined, object> {
    const archs = query.archs ?? snapshot.catalog.archs;
    const { view, past } = snapshot;
    const shown = nameWith(datasource, view ?? (past && { at: past.from }));
    return {
      error: `no package ${name} in ${shown} (${archs.join(', ')})`,
      datasource: shown,
      archs,
      closeNames: yield* this.closeNames(snapshot, name),
    };
  }

  /** Similar package names. */
  *closeNames(snapshot: Snapshot, name: string): Generator<undefined, readonly string[]> {
    const names = yield* this.#closeNames.of(snapshot);
    return yield* names.to(name);
  }
}

/** The key of served versions: a version of one arch may never have been offered for all. */
function servedKey({ name, query: { archs } }: Lookup): string {
  return archs ? `${name} ${archs.join()}` : name;
}
