/** The answer to a request. */
import type { LookupResult } from '../metrics/lookup-counts.ts';
import type { Times } from '../metrics/request-times.ts';
import type { LiveDatasource } from '../repository/live-datasource.ts';
import type { FileToForward } from './package-files.ts';
import { json, retryLater, type Headers, type Reply } from './reply.ts';

export interface Answered {
  readonly reply: Reply;
  /** Instead of the body of a 200: a package to forward. */
  readonly file?: FileToForward;
  /** For request time metrics; absent if not measured. */
  readonly route?: string;
  /** The counters for its time, unless it becomes a 304; set in advance for cached replies. */
  readonly times?: Times;
  readonly lookup?: { readonly datasource: string; readonly result: LookupResult };
}

/** Never a 404 and never a 503 with Retry-After: to Renovate both mean "no such package". */
export function notLoaded(
  { name, missing: indexes, missingFeeds }: LiveDatasource,
  added: Headers = {},
): Required<Pick<Answered, 'reply' | 'lookup'>> {
  const missing = indexes.map(({ spec, failure }) => ({ index: spec.label, error: failure?.message }));
  for (const { spec, failure } of missingFeeds) missing.push({ index: spec.label, error: failure?.message });
  const body = { error: `${name} is not loaded yet`, datasource: name, missing };
  return {
    reply: json(body, { ...added, ...retryLater }, 429),
    lookup: { datasource: name, result: 'not-loaded' },
  };
}
