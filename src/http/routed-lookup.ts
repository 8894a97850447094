/**
 * `GET /-/for/{name}?kind=…`: the lookup of a pin whose datasource the service chooses from what the file tells. Nothing
 * here depends on what is loaded: the same file and configuration give the same route.
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

  /** Which datasource is asked for `name`; what is not asked is noted. */
  route(name: string, parameters: QueryParameters): Route {
    const route = this.#restricted(this.#route(parsePinContext(parameters)), parameters);
    if ('noOpinion' in route) this.notAsked.note(route.noOpinion, name);
    return route;
  }

  /** `?only=wolfi`: the preset of some datasources wants no opinion of the others. */
  #restricted(route: Route, { only }: QueryParameters): Route {
    if (typeof only !== 'string' || !('datasource' in route)) return route;
    if (only.split(',').includes(route.datasource)) return route;
    return { noOpinion: `it is of ${route.datasource}, and the preset is that of ${only}` };
  }
}

/**
 * Opens, changes and closes nothing: with a homepage and no releases Renovate takes it that there is no update, and warns
 * of nothing. An empty list alone, a 404 or a 204 would be a lookup that failed.
 */
export function noOpinionBody(reason: string, url: string): object {
  return { releases: [], homepage: `${url}/-/asked`, noOpinion: reason };
}

/** Whether the rules of the preset have to learn from the answer which datasource gave it. */
export function needsMark({ only }: QueryParameters): boolean {
  return typeof only !== 'string' || only.includes(',');
}

/** The link to the changes with the datasource's mark behind it; where there is none, the service's own page. */
export function markedLink(changelogUrl: string | undefined, datasource: string, page: string): string {
  return `${changelogUrl ?? page}${answeredBy(datasource)}`;
}
