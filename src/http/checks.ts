/** `POST /-/check`: judges the pins of some files, for `apk-beacon check --url`. */
import { QueryError } from '../answers/query.ts';
import { parseCheckRequest } from '../check/protocol.ts';
import { Checker } from '../check/checker.ts';
import { withHistory, type ReadHistory } from '../check/history.ts';
import type { Judgment } from '../check/judgment.ts';
import { Source } from '../check/source.ts';
import { UsageError } from '../errors.ts';
import type { Snapshot } from '../repository/live-datasource.ts';
import { createQueue } from '../repository/pace.ts';
import type { RoutingSource } from '../routing/route.ts';
import { inSlices } from './long-lookups.ts';

/** Milliseconds after which other requests get their turn. */
const SLICE = 5;
/** Judgments are cached as long as their snapshot. */
const sources = new WeakMap<Snapshot, Source>();
const oneAtATime = createQueue();

/** Throws `QueryError` for an invalid body. */
export async function answerCheck(
  body: unknown,
  snapshots: ReadonlyMap<string, Snapshot>,
  {
    routing,
    now,
    history,
  }: { readonly routing: readonly RoutingSource[]; readonly now: number; readonly history: ReadHistory },
): Promise<{ readonly judgments: readonly Judgment[] }> {
  const own = [...snapshots].map(([name, snapshot]) => sourceOf(name, snapshot));
  const { pins, ...request } = orQueryError(() => parseCheckRequest(body));
  const checker = orQueryError(() => new Checker({ sources: own, routing, now, ...request }));
  const judgments = await oneAtATime(() => inSlices(checker.judgeInSteps(pins), SLICE));
  return { judgments: await withHistory(pins, judgments, history) };
}

function sourceOf(name: string, snapshot: Snapshot): Source {
  const known = sources.get(snapshot) ?? new Source(name, snapshot.catalog, snapshot.advisories);
  sources.set(snapshot, known);
  return known;
}

function orQueryError<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof UsageError) throw new QueryError(error.message);
    throw error;
  }
}
