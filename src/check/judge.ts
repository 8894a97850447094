/**
 * Judges a pin by an index: whether it can be installed, and which version is newer. Pure, except for the caches of the
 * source; the same for the command line, the library and the service.
 */
import {
  asPrecise,
  compareVersions,
  isPreRelease,
  numbersOf,
  parseVersion,
  withoutRevision,
  type Version,
} from '../apk/version.ts';
import { describeObstacle } from '../answers/explain.ts';
import { countOf, identifiers, urgentFixes, type Fix } from '../answers/security.ts';
import type { Candidate, VersionReport } from '../catalog/catalog.ts';
import { finish } from '../catalog/steps.ts';
import { isExactPin } from '../pins/pin.ts';
import {
  steps,
  type PinToJudge,
  type Judged,
  type JudgeOptions,
  type Problem,
  type Step,
} from './judgment.ts';
import { meetsOf, remembering, type Meets } from './meets.ts';
import type { ApkoObstacle, Source, View } from './source.ts';

/** Judges a pin whose spelling is valid. */
export function judge(pin: PinToJudge, source: Source, options: JudgeOptions): Judged {
  const { tool, text, name, operator, version, tag, isRuntime, isLocked } = pin;
  const { now, policy, archs, tags, isResolved } = options;
  // Requests are untrusted: the keys of two pins must never be equal.
  const key = JSON.stringify([
    ...[tool, text, name, operator, version, tag, isRuntime, isLocked, now, archs],
    ...[policy.within, policy.minAge, policy.security, tags.key, isResolved],
  ]);
  return source.judged(key, () => judgeAnew(pin, source, options));
}

function judgeAnew(pin: PinToJudge, source: Source, options: JudgeOptions): Judged {
  const view = source.view(pin.name, pin.tool, options.archs);
  const datasource = source.name;
  if (view.report.versions.length === 0 && source.has(pin.name)) {
    const message = `nothing has or provides ${pin.name} on ${options.archs.join(', ')}`;
    const problem = { rule: 'missing-on-arch', message, archs: options.archs } as const;
    return { judgment: { datasource, problems: [problem] }, floating: [] };
  }
  if (view.report.versions.length === 0) {
    const close = source.closeNames(pin.name);
    const hint = close.length === 0 ? '' : `; there are ${close.join(', ')}`;
    const message = `${source.name} has no package ${pin.name}${hint}`;
    return { judgment: { datasource, problems: [{ rule: 'unknown-name', message }] }, floating: [] };
  }
  const constraint = meetsOf(pin);
  if (!constraint) return { judgment: { datasource, problems: [] }, floating: [] };
  const meets = remembering(constraint);
  const isExact = isExactPin(pin);
  const apko = obstacleByApko(pin, source, options);
  const broken =
    (apko === 'none' ? undefined : problemOf(pin, view, meets, isExact)) ??
    (typeof apko === 'object' ? unresolved(apko) : undefined);
  const problems = broken ? [broken] : [];
  if (!broken && apko === 'unknown') problems.push(...needsProblems(pin, view, meets));
  if (!broken && isExact && !pin.isRuntime)
    problems.push(...source.withdrawal(pin, view, meets, options.now));
  const raise = raised(pin, view, meets, { source, ...options });
  const isBehind = pin.operator !== '' && !pin.isLocked && !pin.isRuntime && (raise?.newer ?? []).length > 0;
  if (raise && !broken && isBehind) problems.push(behind(raise, options.now));
  if (raise && !broken && raise.fixes.length > 0) problems.push(vulnerable(raise.fixes));
  const isFine = problems.every(({ rule }) => rule === 'behind');
  const judgment = {
    datasource,
    problems,
    ...(raise?.target !== undefined && { target: raise.target }),
    ...(isBehind &&
      options.policy.security &&
      !source.hasAdvisories && { heldBecause: `${datasource} has no advisories` }),
    ...(raise && { newest: raise.newest.version }),
    ...(raise?.step !== undefined && { step: raise.step }),
  };
  const mayFloat = isExact && isFine && !pin.isRuntime && !pin.isLocked;
  return { judgment, floating: mayFloat ? floatingNeeds(view, meets) : [] };
}

/** `unknown` if it may need what the datasource does not have, or if apko does not resolve the pin. */
function obstacleByApko(pin: PinToJudge, source: Source, options: JudgeOptions): ApkoObstacle | 'unknown' {
  if (pin.isLocked || pin.tool === 'apk') return 'unknown';
  if (options.isResolved) return 'none';
  return source.isComplete ? finish(source.obstacleByApko([pin], options)) : 'unknown';
}

function unresolved({ arch, fact }: Exclude<ApkoObstacle, 'none'>): Problem {
  return {
    rule: 'dependency-missing',
    message: `apko cannot resolve it on ${arch}: ${fact}`,
    archs: [arch],
  };
}

function floatingNeeds({ report }: View, meets: Meets): readonly string[] {
  const [chosen] =
    report.versions.findLast(({ version, chosenOn }) => meets(version) && chosenOn.length > 0)?.chosenOn ??
    [];
  return [...(chosen?.package.dependencies ?? [])]
    .filter(({ conflict, operator }) => !conflict && !/^=+$/.test(operator))
    .map(({ name }) => name);
}

function problemOf(pin: PinToJudge, view: View, meets: Meets, isExact: boolean): Problem | undefined {
  const { archs, report } = view;
  const wanted = archs.length > 0 ? archs : report.archs;
  const lacking = wanted.filter((arch) => !view.isMet(meets, arch));
  if (lacking.length === 0) return undefined;
  const fitting = report.versions.filter(({ version }) => meets(version));
  const onLacking = fitting
    .flatMap(({ candidates }) => candidates)
    .filter(({ arch }) => lacking.includes(arch));
  const blocked = onLacking.findLast(({ obstacle }) => obstacle?.reason === 'dependency-unmet');
  if (blocked) {
    const message = `${describeObstacle(blocked, textOf(blocked))} on ${blocked.arch}`;
    return { rule: 'dependency-missing', message, archs: lacking };
  }
  const newest = onLacking.at(-1);
  if (newest && isRefused(newest))
    return { rule: 'unsatisfiable', message: describeObstacle(newest, textOf(newest)), archs: lacking };
  const there = wanted.filter((arch) =>
    fitting.some(({ candidates }) => candidates.some((each) => each.arch === arch && !each.obstacle)),
  );
  if (there.length > 0)
    return { rule: 'missing-on-arch', message: missingMessage(pin, lacking, there, fitting), archs: lacking };
  const offered = followed(view, parseVersion(pin.version)).at(-1)?.version;
  const now = offered === undefined ? '' : `; the newest is ${offered}`;
  const obstacle = fitting.flatMap(({ candidates }) => candidates).find((each) => each.obstacle)?.obstacle;
  if (
    obstacle?.reason === 'unversioned-provide' ||
    (isExact && report.versions.every((each) => each.candidates.every(isUnversioned)))
  )
    return {
      rule: 'unsatisfiable',
      message: `${pin.name} is only provided without a version, which no constraint accepts`,
      archs: lacking,
    };
  if (!isExact)
    return {
      rule: 'unsatisfiable',
      message: `no version of ${pin.name} fits ${pin.operator}${pin.version}${now}`,
      archs: lacking,
    };
  return { rule: 'withdrawn', message: `${pin.name} ${pin.version} is in no index${now}`, archs: lacking };
}

function isUnversioned({ obstacle }: Candidate): boolean {
  return obstacle?.reason === 'unversioned-provide';
}

/** Whether apk refuses the package, whatever the pin. */
function isRefused({ obstacle }: Candidate): boolean {
  const reasons: readonly (string | undefined)[] = [
    'conflicting-provides',
    'unknown-field',
    'broken-dependency',
  ];
  return reasons.includes(obstacle?.reason);
}

function textOf({ package: each }: Candidate): string {
  return `${each.name}-${each.version}`;
}

function missingMessage(
  { name, text }: PinToJudge,
  lacking: readonly string[],
  there: readonly string[],
  fitting: readonly VersionReport[],
): string {
  const archs = lacking.filter((arch) => !there.includes(arch));
  if (archs.length === 0)
    return `${text} is met by different packages on ${there.join(' and ')}; apko wants the same version of the same package`;
  const builtAt = Math.max(0, ...fitting.map((each) => each.builtAt ?? 0));
  const since = builtAt === 0 ? '' : ` since ${new Date(builtAt * 1000).toISOString().slice(0, 10)}`;
  return `nothing fits ${text} on ${archs.join(', ')}; ${there.join(', ')} has ${fitting.at(-1)?.version ?? name}${since}`;
}

function needsProblems(pin: PinToJudge, view: View, meets: Meets): readonly Problem[] {
  if (pin.operator === '' || pin.isLocked) return [];
  const chosen = view.archs.flatMap((arch) => view.fitting(meets, arch).slice(-1));
  const missing = view.missingNeeds(chosen);
  if (missing.length === 0) return [];
  const some = missing.slice(0, 3).join(', ') + (missing.length > 3 ? ` and ${missing.length - 3} more` : '');
  return [
    {
      rule: 'dependency-missing',
      // A repository that is not configured may have it.
      level: 'warning',
      message: `${pin.name} needs ${some}, which nothing in its repositories has`,
    },
  ];
}

interface Raise {
  /** Versions newer than the pin, oldest first. */
  readonly newer: readonly VersionReport[];
  readonly newest: VersionReport;
  readonly target: string | undefined;
  readonly step: Step | undefined;
  /** The lowest versions that fix most vulnerabilities known at the pin. */
  readonly fixes: readonly Fix[];
}

function raised(
  pin: PinToJudge,
  view: View,
  meets: Meets,
  { now, policy, source }: JudgeOptions & { readonly source: Source },
): Raise | undefined {
  const current = parseVersion(pin.version);
  const isTilde = pin.operator.includes('~') && !/[<>]/.test(pin.operator);
  const isExact = isExactPin(pin);
  if (pin.operator !== '' && (!current || (!isTilde && !isExact))) return undefined;
  const isEligible = ({ parsed, version }: VersionReport): boolean =>
    !current || (!meets(version) && compareVersions(parsed as Version, current) > 0);
  const all = followed(view, current);
  const newest = all.at(-1);
  if (!newest) return undefined;
  const newer = all.filter(isEligible);
  const isWithin = (version: Version): boolean =>
    !current || steps.indexOf(stepOf(current, version)) <= steps.indexOf(policy.within);
  const at = current && (all.findLast(({ version }) => meets(version))?.parsed ?? current);
  const versions = newer.map(({ parsed }) => parsed as Version);
  const fixes = at ? source.fixes(view, at, versions) : [];
  const urgent = (some: readonly Fix[]): readonly Fix[] => (at ? urgentFixes(at, some) : []);
  const textFor = (version: Version): string =>
    isTilde && current ? asPrecise(version, current) : version.text;
  // Of a line, the newest version is installed, whether or not it is offered.
  const lineOf = (version: Version): Meets | undefined =>
    isTilde ? meetsOf({ ...pin, version: textFor(version) }) : undefined;
  const isMet = (version: Version): boolean => {
    const meetsLine = lineOf(version);
    return !meetsLine || view.archs.every((arch) => view.isMet(meetsLine, arch));
  };
  const isOld = (each: VersionReport): boolean => {
    if (policy.minAge === 0) return true;
    const meetsLine = lineOf(each.parsed as Version);
    const newestOfLine = meetsLine && view.offered.findLast(({ version }) => meetsLine(version));
    const { releasedAt = 0 } = newestOfLine ?? each;
    return releasedAt > 0 && now - releasedAt * 1000 >= policy.minAge;
  };
  const isPossible = (version: Version): boolean => isWithin(version) && isMet(version);
  const target = policy.security
    ? urgent(fixes.filter(({ version }) => isPossible(version))).at(-1)?.version
    : newer.findLast((each) => isOld(each) && isPossible(each.parsed as Version))?.parsed;
  return {
    newer,
    newest,
    target: target && textFor(target),
    step: current && newer.length > 0 ? stepOf(current, newest.parsed as Version) : undefined,
    fixes: urgent(fixes),
  };
}

/** The offered versions; pre-releases only if the pin is one or nothing else is offered. */
function followed({ offered }: View, current: Version | undefined): readonly VersionReport[] {
  const stable = offered.filter(({ parsed }) => !isPreRelease(parsed as Version));
  return stable.length === 0 || (current && isPreRelease(current)) ? offered : stable;
}

function stepOf(from: Version, to: Version): Step {
  const [a, b] = [numbersOf(from), numbersOf(to)];
  if (a[0] !== b[0]) return 'major';
  if (a[1] !== b[1]) return 'minor';
  return withoutRevision(from).text === withoutRevision(to).text ? 'rebuild' : 'patch';
}

function vulnerable(fixes: readonly Fix[]): Problem {
  const texts = fixes.map((fix) => {
    const count = countOf(fix.groups);
    const ids = identifiers(fix.groups).replaceAll(',', ', ');
    return `${fix.version.text} fixes ${count === 1 ? 'one' : count} (${ids})`;
  });
  return { rule: 'known-vulnerabilities', message: `known vulnerabilities: ${texts.join('; ')}` };
}

function behind({ newer, newest, step }: Raise, now: number): Problem {
  const count = newer.length === 1 ? 'one version' : `${newer.length} versions`;
  const first = newer[0]?.builtAt;
  const days = first === undefined ? 0 : Math.floor((now / 1000 - first) / 86_400);
  const age = days > 0 ? `, for ${days === 1 ? 'a day' : `${days} days`}` : '';
  return { rule: 'behind', message: `${newest.version} is available (${step}), ${count} behind${age}` };
}
