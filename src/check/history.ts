/** Adds dates from the ledger to judgments: since when a version is withdrawn. */
import type { Vanished } from '../ledger/changes.ts';
import type { PinToJudge, Judgment, Problem } from './judgment.ts';
import { meetsOf } from './meets.ts';
import type { RuleId } from './rules.ts';

/** Reads the versions of names that vanished from a datasource. */
export type ReadHistory = (datasource: string, names: readonly string[]) => Promise<readonly Vanished[]>;

const rules: ReadonlySet<RuleId> = new Set(['withdrawn', 'missing-on-arch', 'unsatisfiable']);

/** The judgments, with dates if the ledger has them. The ledger is queried once per datasource. */
export async function withHistory(
  pins: readonly PinToJudge[],
  judgments: readonly Judgment[],
  read: ReadHistory,
): Promise<readonly Judgment[]> {
  const names = new Map<string, Set<string>>();
  for (const [i, { datasource, problems }] of judgments.entries()) {
    const name = pins[i]?.name;
    if (datasource === undefined || name === undefined || !problems.some(({ rule }) => rules.has(rule)))
      continue;
    names.set(datasource, (names.get(datasource) ?? new Set()).add(name));
  }
  const vanished = new Map<string, ReadonlyMap<string, readonly Vanished[]>>();
  for (const [datasource, asked] of names)
    vanished.set(
      datasource,
      Map.groupBy(await read(datasource, [...asked]), ({ name }) => name),
    );
  return judgments.map((judgment, i) => {
    const { datasource = '', problems } = judgment;
    const pin = pins[i] as PinToJudge;
    const known = vanished.get(datasource)?.get(pin.name);
    return known ? { ...judgment, problems: problems.map((each) => dated(each, pin, known)) } : judgment;
  });
}

/** A pin fails from the day on which the first arch lost the last version that it fits. */
function dated(problem: Problem, pin: PinToJudge, vanished: readonly Vanished[]): Problem {
  const { rule, archs, message } = problem;
  const meets = meetsOf(pin);
  if (!rules.has(rule) || !meets) return problem;
  const fitting = vanished.filter(({ arch, version }) => archs?.includes(arch) !== false && meets(version));
  const lastByArch = [...Map.groupBy(fitting, ({ arch }) => arch).values()].map((all) =>
    all.reduce((last, each) => (each.at > last.at ? each : last)),
  );
  const [first, ...others] = lastByArch;
  if (!first) return problem;
  const { at, version, arch } = others.reduce(
    (earlier, each) => (each.at < earlier.at ? each : earlier),
    first,
  );
  const since = new Date(at).toISOString().slice(0, 10);
  const what = rule === 'unsatisfiable' ? `; the last that did, ${version}, was` : ';';
  const where = rule === 'missing-on-arch' ? ` from ${arch}` : '';
  return { ...problem, message: `${message}${what} withdrawn${where} on ${since}`, since };
}
