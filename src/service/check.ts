/** Judges the pins of files by the indexes of a configuration: for the command line, the library and the route. */
import { Checker } from '../check/checker.ts';
import type { CheckedFile } from '../check/findings.ts';
import { judgeTogether } from '../check/judge-together.ts';
import { withHistory } from '../check/history.ts';
import type { Judgment, Policy } from '../check/judgment.ts';
import { Source } from '../check/source.ts';
import type { Config } from '../config/config.ts';
import type { RoutingSource } from '../routing/route.ts';
import { Beacon, currentSnapshotOf } from './beacon.ts';
import { commandLogger } from './logger.ts';
import { routingSources } from './preset.ts';

export interface CheckHere {
  readonly config: Config;
  /** Pins of unknown origin are looked up in the one datasource. */
  readonly asksAll: boolean;
  readonly policy: Policy;
  readonly now: number;
  readonly signal: AbortSignal;
}

/** Judgments of each file's pins. Loads the indexes; throws if one is unavailable: a cached one may be outdated. */
export async function judgeHere(
  files: readonly CheckedFile[],
  { config, asksAll, policy, now, signal }: CheckHere,
): Promise<readonly (readonly Judgment[])[]> {
  const logger = await commandLogger('warn');
  const beacon = new Beacon({ config, logger, now: Date.now, withoutDates: policy.minAge === 0 });
  await beacon.loadOnce(signal);
  const sources = beacon.datasources.map((live) => {
    const { catalog, advisories } = currentSnapshotOf(live);
    return new Source(live.name, catalog, advisories);
  });
  const routing: readonly RoutingSource[] = routingSources(config).map((source) => ({
    ...source,
    asksUnknown: source.asksUnknown || asksAll,
  }));
  const checker = new Checker({ sources, routing, policy, now, built: builtNames(files) });
  const judgments = await judgeTogether(files, async (asked) => {
    const pins = asked.flat();
    return await withHistory(pins, checker.judge(pins), (datasource, names) =>
      beacon.vanished(datasource, names),
    );
  });
  await beacon.ledger.close();
  return judgments;
}

export function builtNames(files: readonly CheckedFile[]): ReadonlySet<string> {
  return new Set(files.flatMap(({ found }) => found.builds ?? []));
}
