/** Looks up names in a datasource. HTTP routes, `export` and the command line all use this. */
import { createHash } from 'node:crypto';
import { parseVersions, releasesInSteps, type Release } from './releases.ts';
import { CloseNames } from './close-names.ts';
import type { LookupQuery } from './query.ts';
import { filterInSteps, finish } from '../catalog/steps.ts';
import { renderInSteps } from './render.ts';
import type { Snapshot } from '../repository/live-datasource.ts';
import type { ServedVersions } from './served-versions.ts';

export interface Answer {
  readonly body: string;
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

export class Lookups {
  readonly #served: ServedVersions;
  readonly #closeNames = new WeakMap<Snapshot, CloseNames>();

  constructor(served: ServedVersions) {
    this.#served = served;
  }

  /** The answer and the releases behind it. */
  answer(lookup: Lookup): { answer: Answer; releases: readonly Release[] } {
    const releases = this.releases(lookup);
    if (releases) return { answer: this.render(releases, lookup.query), releases };
    return { answer: answerOf(false, JSON.stringify(this.unknownName(lookup))), releases: [] };
  }

  /** The releases that match the query, oldest first; `undefined` for a name that is in no index. */
  releases(lookup: Lookup): readonly Release[] | undefined {
    return finish(this.releasesInSteps(lookup));
  }

  *releasesInSteps({
    datasource,
    snapshot,
    name,
    query,
  }: Lookup): Generator<undefined, readonly Release[] | undefined> {
    const report = yield* snapshot.catalog.reportInSteps(name, query.archs);
    if (report.versions.length === 0) return undefined;
    const remembered = query.current ? [] : parseVersions(this.#served.recall(datasource, name));
    const releases = yield* releasesInSteps(report, query, remembered);
    const there = yield* filterInSteps(report.versions, (version) => version.offered);
    const offered = there.map(({ version }) => version);
    if (offered.length > 0) this.#served.note(datasource, name, offered);
    return releases;
  }

  /** Whether any version of the name was ever served. */
  wasServed(datasource: string, name: string): boolean {
    return this.served(datasource, name).length > 0;
  }

  /** Versions of the name that were told of at any time, newest first. */
  served(datasource: string, name: string): readonly string[] {
    return this.#served.recall(datasource, name);
  }

  render(releases: readonly Release[], query: LookupQuery): Answer {
    return finish(this.renderInSteps(releases, query));
  }

  *renderInSteps(
    releases: readonly Release[],
    { stripRevision, current }: LookupQuery,
  ): Generator<undefined, Answer> {
    return answerOf(true, yield* renderInSteps(releases, { stripRevision, current: current?.version.text }));
  }

  /** The answer for a name that is in no index. */
  unknownName({ datasource, snapshot, name, query }: Lookup): object {
    const archs = query.archs ?? snapshot.catalog.archs;
    return {
      error: `no package ${name} in ${datasource} (${archs.join(', ')})`,
      datasource,
      archs,
      closeNames: this.closeNames(snapshot, name),
    };
  }

  /** Similar package names. */
  closeNames(snapshot: Snapshot, name: string): readonly string[] {
    const names = this.#closeNames.get(snapshot) ?? new CloseNames(snapshot.catalog.names());
    this.#closeNames.set(snapshot, names);
    return names.to(name);
  }
}

function answerOf(found: boolean, body: string): Answer {
  return { body, found, etag: etagOf(body) };
}

/** A strong tag: the same for the same bytes. */
export function etagOf(body: string): string {
  return `"${createHash('sha1').update(body).digest('base64url')}"`;
}
