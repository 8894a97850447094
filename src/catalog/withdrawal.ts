/**
 * Which versions a repository is expected to withdraw, and from when, based on past withdrawals (docs/decisions/012).
 * Ages count from the build time, or, without one, from the release date.
 */
import type { Candidate, CatalogSource, NameReport, VersionReport } from './catalog.ts';
import { isStep } from './steps.ts';
import { dateOf } from './time.ts';

/** How a repository withdraws versions. */
export type WithdrawalPolicy =
  /** Only the newest version of a name stays, as on Alpine. */
  | { readonly kind: 'replaced' }
  /** Old builds that are not the newest are withdrawn in a monthly collection, as on Wolfi. */
  | {
      readonly kind: 'collected';
      /** Milliseconds. */
      readonly age: number;
      /** The first and last day of the month on which the collection may be. */
      readonly days: readonly [number, number];
    };

/** The policy of one index, and the time of its contents. */
export interface SourceWithdrawal {
  readonly policy: WithdrawalPolicy;
  /** Unix seconds: the newest build. Not the clock, because an index may be old. */
  readonly asOf: number;
}

export type WithdrawalRule = keyof typeof shares | 'replaced';

export interface Withdrawal {
  /** `2026-08-13`; absent if it depends on the next version. */
  readonly expectedOn?: string;
  readonly rule: WithdrawalRule;
  /** The measured share of such builds that were withdrawn; absent if not measured. */
  readonly likelihood?: number;
}

/** More likely withdrawn than not. */
export function isLikely({ likelihood = 1 }: Withdrawal): boolean {
  return likelihood >= 0.5;
}

/** What was withdrawn of Wolfi on 2026-08-13, by rule; `test/catalog/withdrawal.test.ts` measures it. */
const shares = {
  /** Old and not the newest of its name. */
  'old-build': 0.96,
  /** The same, but even older builds of the name survived a collection. */
  'old-build-of-kept-name': 0.57,
  /** Old and the newest of its name, of a series that a newer one has replaced. */
  'ended-series': 0.71,
  /** Overdue: it survived an earlier collection. */
  'kept-before': 0.18,
} as const;

export interface WithdrawalOptions {
  /** The newest build of the newest series, in unix seconds, where there is a newer one than that of the name. */
  readonly nextSeriesBuiltAt?: () => number | undefined;
}

const SECONDS_A_DAY = 86_400;
/** A build that is overdue for longer has survived a collection. */
const KEPT_AFTER = 31 * SECONDS_A_DAY;
/** Older builds survived several collections; hardly any of them was withdrawn in the next. */
const KEPT_FOR_GOOD_AFTER = 450 * SECONDS_A_DAY;
/** Wolfi took builds of 2026-02-10 until 6:28 UTC and none from 10:00, 184 days before it withdrew them. */
const COLLECTION_HOUR = 8 * 3600;

/**
 * The versions of a report that are expected to be withdrawn; `sources` are those of its catalog. A release ends when the
 * first arch loses it.
 */
export function* withdrawalsIn(
  { versions }: NameReport,
  sources: readonly CatalogSource[],
  options: WithdrawalOptions = {},
): Generator<undefined, ReadonlyMap<VersionReport, Withdrawal>> {
  const expected = new Map<VersionReport, Withdrawal>();
  const withdrawing = sources.map(
    ({ withdrawal }) => withdrawal && { withdrawal, streams: new Map<string, Stream>() },
  );
  if (!withdrawing.some((source) => source)) return expected;
  const builds = yield* buildsOf(versions, withdrawing);
  for (const [i, version] of versions.entries()) {
    if (isStep(i)) yield;
    const first = (version.chosenOn.length > 0 ? version.chosenOn : version.candidates)
      .map((candidate) => builds.get(candidate))
      .flatMap((build) => (build ? (withdrawalOf(build, options) ?? []) : []))
      .reduce<Withdrawal | undefined>(earlier, undefined);
    if (first) expected.set(version, first);
  }
  return expected;
}

/** What one repository has of one package name on one arch. */
interface Stream {
  readonly newest: string;
  /** The earliest build time of the newer versions: since then older ones are replaced. */
  replacedAt: number;
  /** Whether a build survived a collection. */
  hasKept: boolean;
}

interface Build {
  readonly candidate: Candidate;
  readonly source: SourceWithdrawal;
  readonly stream: Stream;
  readonly builtAt: number | undefined;
  readonly replacedAt: number;
}

/** An index whose repository withdraws, and its streams by package name. */
interface WithdrawingSource {
  readonly withdrawal: SourceWithdrawal;
  readonly streams: Map<string, Stream>;
}

function* buildsOf(
  versions: readonly VersionReport[],
  sources: readonly (WithdrawingSource | undefined)[],
): Generator<undefined, ReadonlyMap<Candidate, Build>> {
  const builds = new Map<Candidate, Build>();
  for (let i = versions.length - 1; i >= 0; i -= 1) {
    if (isStep(i)) yield;
    const { parsed, candidates } = versions[i] as VersionReport;
    for (const candidate of parsed ? candidates : []) {
      const from = sources[candidate.source];
      if (!from) continue;
      const { name, builtAt: told } = candidate.package;
      let stream = from.streams.get(name);
      if (!stream) {
        stream = { newest: candidate.version, replacedAt: Infinity, hasKept: false };
        from.streams.set(name, stream);
      }
      const builtAt = told ?? candidate.releasedAt;
      const { replacedAt } = stream;
      const build = { candidate, source: from.withdrawal, stream, builtAt, replacedAt };
      builds.set(candidate, build);
      stream.hasKept ||= !isNewest(build) && wasKept(build);
      stream.replacedAt = Math.min(stream.replacedAt, builtAt ?? Infinity);
    }
  }
  return builds;
}

function isNewest({ candidate, stream }: Build): boolean {
  return candidate.version === stream.newest;
}

/** Whether it has been due for so long that it survived a collection. */
function wasKept({ source: { policy, asOf }, builtAt, replacedAt }: Build): boolean {
  if (policy.kind !== 'collected' || builtAt === undefined) return false;
  return Math.max(builtAt + policy.age / 1000, replacedAt) + KEPT_AFTER < asOf;
}

function withdrawalOf(build: Build, { nextSeriesBuiltAt }: WithdrawalOptions): Withdrawal | undefined {
  const { candidate, source, stream, builtAt } = build;
  const { policy, asOf } = source;
  if (policy.kind === 'replaced')
    return {
      ...(!isNewest(build) && { expectedOn: dateOf(asOf) }),
      rule: 'replaced',
    };
  if (builtAt === undefined) return undefined;
  const expect = (rule: keyof typeof shares): Withdrawal => ({
    expectedOn: collectionOn(builtAt + policy.age / 1000, asOf, policy.days),
    rule,
    likelihood: shares[rule],
  });
  if (isNewest(build)) {
    const hasEnded = !candidate.provided && (nextSeriesBuiltAt?.() ?? 0) > builtAt;
    return hasEnded && !wasKept({ ...build, replacedAt: builtAt }) ? expect('ended-series') : undefined;
  }
  if (wasKept(build)) return builtAt + KEPT_FOR_GOOD_AFTER < asOf ? undefined : expect('kept-before');
  return expect(stream.hasKept ? 'old-build-of-kept-name' : 'old-build');
}

/** The first day on which a collection may take what is due, of those that are not over yet. */
function collectionOn(due: number, asOf: number, [first, last]: readonly [number, number]): string {
  const dueDay = Math.ceil((due - COLLECTION_HOUR) / SECONDS_A_DAY);
  const day = Math.max(dueDay, Math.floor(asOf / SECONDS_A_DAY));
  const date = new Date(day * SECONDS_A_DAY * 1000);
  const month = (offset: number): number =>
    Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + offset) / 1000 / SECONDS_A_DAY;
  const isOver = day > month(0) + last - 1;
  const expected = isOver ? month(1) + first - 1 : Math.max(dueDay, month(0) + first - 1);
  return dateOf(expected * SECONDS_A_DAY);
}

/** A day before the unknown day of the next version. */
function earlier(a: Withdrawal | undefined, b: Withdrawal): Withdrawal {
  return a && (a.expectedOn ?? '~') <= (b.expectedOn ?? '~') ? a : b;
}
