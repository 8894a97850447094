/**
 * `GET /-/for/{name}?kind=…`: lookup of a pin whose datasource the service chooses from the context of the file. The
 * route depends only on the file and the configuration, never on what is loaded.
 */
import type { QueryParameters } from '../answers/query.ts';
import { answeredBy } from '../renovate/answered-by.ts';
import { NotAsked } from '../routing/not-asked.ts';
import { parsePinContext } from '../routing/pin-context.ts';
import { createRouter, type Route, type RoutingSource } from '../routing/route.ts';

export class RoutedLookups {
  readonly notAsked: NotAsked;
  readonly #route: ReturnType<typeof createRouter>;

  constructor(sources: readonly RoutingSource[], now: () => number) {
    this.notAsked = new NotAsked(now);
    this.#route = createRouter(sources);
  }

  /** The datasource for `name`. Pins without a datasource are recorded. */
  route(name: string, parameters: QueryParameters): Route {
    const route = this.#restricted(this.#route(parsePinContext(parameters)), parameters);
    if ('noOpinion' in route) this.notAsked.note(route.noOpinion, name);
    return route;
  }

  /** `?only=wolfi`: a preset of some datasources must not get answers of the others. */
  #restricted(route: Route, { only }: QueryParameters): Route {
    if (typeof only !== 'string' || !('datasource' in route)) return route;
    if (only.split(',').includes(route.datasource)) return route;
    return { noOpinion: `the pin belongs to ${route.datasource}, but the preset is for ${only}` };
  }
}

/**
 * An answer that opens, changes and closes nothing: with a homepage and no releases, Renovate sees no update and logs
 * no warning. It treats an empty list alone, a 404 or a 204 as a failed lookup.
 */
export function noOpinionBody(reason: string, url: string): object {
  return { releases: [], homepage: `${url}/-/asked`, noOpinion: reason };
}

/** Whether the preset's rules need the mark of the datasource. */
export function needsMark({ only }: QueryParameters): boolean {
  return typeof only !== 'string' || only.includes(',');
}

/** The changelog link with the datasource's mark after it. Without a changelog, the link is the service's own page. */
export function markedLink(changelogUrl: string | undefined, datasource: string, page: string): string {
  return `${changelogUrl ?? page}${answeredBy(datasource)}`;
}
