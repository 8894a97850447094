/** `POST /-/check`: what the indexes say of the pins of some files, for `apk-beacon check --url`. */
import { QueryError } from '../answers/query.ts';
import { parseCheckRequest } from '../check/asked.ts';
import { Checker } from '../check/checker.ts';
import { Source, type Judgment } from '../check/judge.ts';
import { UsageError } from '../errors.ts';
import type { Snapshot } from '../repository/live-datasource.ts';
import type { RoutingSource } from '../routing/route.ts';
import { inTurns } from './turns.ts';

/** Milliseconds after which other requests get their turn. */
const TURN = 5;

/** Throws `QueryError` for a body that is none. */
export async function answerCheck(
  body: unknown,
  snapshots: ReadonlyMap<string, Snapshot>,
  { routing, now }: { readonly routing: readonly RoutingSource[]; readonly now: number },
): Promise<{ readonly judgments: readonly Judgment[] }> {
  const { policy, built, pins } = parsed(body);
  // Made for this request: what it remembers goes with it.
  const sources = [...snapshots].map(
    ([name, { catalog, advisories }]) => new Source(name, catalog, advisories),
  );
  const checker = new Checker({ sources, routing, policy, now, built });
  return { judgments: await inTurns(checker.judgeInSteps(pins), TURN) };
}

function parsed(body: unknown): ReturnType<typeof parseCheckRequest> {
  try {
    return parseCheckRequest(body);
  } catch (error) {
    if (error instanceof UsageError) throw new QueryError(error.message);
    throw error;
  }
}
