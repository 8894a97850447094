/** Builds the pages for browsers from the datasources. Loaded at the first request for a page. */
import { explainInSteps, type Explanation } from '../answers/explain.ts';
import { heldBackIn } from '../answers/held-back.ts';
import type { LookupQuery } from '../answers/query.ts';
import type { SearchHits } from '../answers/search.ts';
import { explainAdvisoriesInSteps } from '../answers/security.ts';
import type { DatasourceRef } from '../answers/target.ts';
import { nameWith } from '../catalog/age.ts';
import type { LookupLog } from '../metrics/lookup-log.ts';
import type { RecentChanges } from '../metrics/recent-changes.ts';
import type { Surveyor } from '../metrics/survey.ts';
import { badge } from '../pages/badge.ts';
import { datasourcePage } from '../pages/datasource-page.ts';
import { contentSecurityPolicy } from '../pages/html.ts';
import { serviceLinks, type Links } from '../pages/links.ts';
import { homePage, problemPage, searchPage, type DatasourceSummary } from '../pages/other-pages.ts';
import { packageFacts } from '../pages/package-facts.ts';
import { packagePage } from '../pages/package-page.ts';
import type { LiveDatasource, Snapshot } from '../repository/live-datasource.ts';
import { version } from '../version.ts';
import { createReply, type Headers, type Reply } from './reply.ts';
import { heldBackStatus, indexStatus, pastIndexStatus } from './status.ts';

export interface PageSources {
  readonly datasources: readonly LiveDatasource[];
  readonly defaultDatasource: string;
  readonly asked: LookupLog;
  readonly surveyor: Surveyor;
  readonly changes: RecentChanges;
  readonly now: () => number;
  /** The address of the service for clients, if configured. */
  readonly publicUrl: string | undefined;
}

/** A question about a package. */
export interface PackageQuestion extends DatasourceRef {
  readonly snapshot: Snapshot;
  readonly name: string;
  readonly query: LookupQuery;
  /** As the reader wrote it. */
  readonly pin: string | undefined;
}

export class Pages {
  readonly #sources: PageSources;
  readonly #links: Links;

  constructor(sources: PageSources) {
    this.#sources = sources;
    this.#links = serviceLinks(sources.publicUrl);
  }

  home(url: string): Reply {
    const { datasources, defaultDatasource } = this.#sources;
    const summaries = datasources.map((live) => this.#summary(live, live.name === defaultDatasource));
    return page(
      homePage({ version, datasources: summaries, presetUrl: `${url}/renovate.json`, links: this.#links }),
    );
  }

  #summary(live: LiveDatasource, isDefault: boolean): DatasourceSummary {
    const { name, snapshot, archs, indexes } = live;
    const now = this.#sources.now();
    const states = indexes.map((index) => indexStatus(index, now));
    const confirmed = indexes.flatMap(({ loaded }) => (loaded ? [loaded.confirmedAt] : []));
    return {
      name,
      isDefault,
      ready: snapshot !== undefined,
      names: snapshot?.catalog.nameCount,
      archs,
      problems: states.filter(({ state, frozen }) => state !== 'current' || frozen).length,
      confirmedAgo: confirmed.length === 0 ? undefined : (now - Math.min(...confirmed)) / 1000,
    };
  }

  datasource({ live, when }: DatasourceRef, snapshot: Snapshot | undefined): Reply {
    const { asked, surveyor, changes } = this.#sources;
    const now = this.#sources.now();
    const { name, indexes } = live;
    return page(
      datasourcePage({
        datasource: nameWith(name, when),
        heldBack: snapshot?.view && heldBackStatus(snapshot.view),
        from: snapshot?.past && new Date(snapshot.past.from).toISOString(),
        ready: snapshot !== undefined,
        generation: snapshot?.generation,
        names: snapshot?.catalog.nameCount,
        versions: snapshot?.catalog.packageCount,
        indexes:
          snapshot?.past?.indexes.map(pastIndexStatus) ?? indexes.map((index) => indexStatus(index, now)),
        // The following is only for the datasource itself.
        changes: when ? [] : changes.of(name),
        withheld: when ? undefined : surveyor.of(live)?.withheld,
        missed: (when ? [] : asked.list(live))
          .filter(({ known }) => !known)
          .toSorted((a, b) => b.lastAskedAt - a.lastAskedAt),
        now,
        links: this.#links,
      }),
    );
  }

  /** Similar names and former versions are for a name that no index has. */
  *package(
    question: PackageQuestion,
    { closeNames = [], served = [] }: { closeNames?: readonly string[]; served?: readonly string[] } = {},
  ): Generator<undefined, Reply> {
    const { live, when, snapshot, name, query, pin } = question;
    const report = yield* snapshot.catalog.reportInSteps(name, query.archs);
    const advisories = yield* explainAdvisoriesInSteps(snapshot.advisories, report, query);
    const explanation: Explanation = {
      ...(yield* explainInSteps(report, query, pin, snapshot.catalog, {
        served,
        heldBack: yield* heldBackIn(snapshot, report),
      })),
      ...(advisories && { advisories }),
    };
    const { newest, about } = yield* packageFacts(report, query, snapshot.catalog);
    const text = packagePage({
      datasource: nameWith(live.name, when),
      explanation,
      query,
      newest,
      about,
      closeNames,
      now: this.#sources.now(),
      links: this.#links,
    });
    const headers = { 'x-apk-beacon-generation': snapshot.generation };
    return page(text, report.versions.length === 0 ? 404 : 200, headers);
  }

  search(datasource: string, query: string, { hits, more }: SearchHits): Reply {
    return page(searchPage({ datasource, query, results: hits, more, links: this.#links }));
  }

  *badge({ snapshot, name, query }: PackageQuestion): Generator<undefined, Reply> {
    const report = yield* snapshot.catalog.reportInSteps(name, query.archs);
    const { newest } = yield* packageFacts(report, query, snapshot.catalog);
    const isFound = report.versions.length > 0 || (yield* heldBackIn(snapshot, report)) !== undefined;
    const message = newest ?? (isFound ? 'none on offer' : 'not found');
    const picture = badge({ label: name, message, isGood: newest !== undefined });
    // 200 even if there is no such package: a README shows only pictures that load.
    const headers = { 'content-type': 'image/svg+xml; charset=utf-8', 'cache-control': 'max-age=300' };
    return createReply(200, headers, picture);
  }

  problem(status: number, fact: string, headers: Headers = {}): Reply {
    return page(
      problemPage({ title: titles[status] ?? 'Something failed', fact, links: this.#links }),
      status,
      headers,
    );
  }
}

const titles: Readonly<Record<number, string>> = {
  400: 'Invalid request',
  404: 'Not found',
  410: 'No longer kept',
  429: 'Not loaded yet',
};

function page(text: string, status = 200, headers: Headers = {}): Reply {
  return createReply(
    status,
    {
      'cache-control': 'no-cache',
      vary: 'accept',
      'referrer-policy': 'no-referrer',
      'content-type': 'text/html; charset=utf-8',
      ...headers,
    },
    text,
    contentSecurityPolicy,
  );
}
