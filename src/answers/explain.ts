/** "Why was this not bumped?" – what is known of every version of a name, and what a pin would be offered. */
import { compareVersions, isPreRelease, type Version } from '../apk/version.ts';
import type { Candidate, NameReport, VersionReport, WithheldReason } from '../catalog/catalog.ts';
import { pinnedVersion, type LookupQuery } from './query.ts';
import { steer, type Steering } from './renovate-order.ts';
import { timestamp } from './render.ts';

export interface Explanation {
  readonly name: string;
  readonly archs: readonly string[];
  readonly carriedBy: readonly string[];
  /** Newest first. */
  readonly versions: readonly ExplainedVersion[];
  readonly pin?: ExplainedPin;
}

export interface ExplainedVersion {
  readonly version: string;
  readonly offered: boolean;
  readonly releaseTimestamp?: string;
  readonly preRelease?: true;
  /** Why it is not offered, in words. */
  readonly reasons?: readonly string[];
  readonly candidates: readonly ExplainedCandidate[];
}

export interface ExplainedCandidate {
  readonly arch: string;
  readonly repository: string;
  /** `name-version` of the package. */
  readonly package: string;
  readonly builtAt?: string;
  readonly provided?: true;
  /** `chosen` for what apk would install, otherwise why not. */
  readonly state: 'chosen' | 'duplicate' | Exclude<WithheldReason, 'missing-on-arch'>;
  readonly detail?: string;
}

export interface ExplainedPin {
  readonly current: string;
  readonly state: 'offered' | 'withheld' | 'gone' | 'invalid';
  /** The version an update or rollback leads to; absent where there is none. */
  readonly proposal?: string;
  readonly because: string;
}

export function explain(report: NameReport, query: LookupQuery, pin: string | undefined): Explanation {
  return {
    name: report.name,
    archs: report.archs,
    carriedBy: report.carriedBy,
    versions: report.versions.toReversed().map((version) => explainVersion(version)),
    ...(pin !== undefined && { pin: explainPin(report, query, pin) }),
  };
}

function explainVersion(report: VersionReport): ExplainedVersion {
  const { version, parsed, offered, builtAt } = report;
  const reasons = offered ? [] : reasonsOf(report);
  return {
    version,
    offered,
    ...(builtAt !== undefined && { releaseTimestamp: timestamp(builtAt) }),
    ...(parsed && isPreRelease(parsed) && { preRelease: true }),
    ...(reasons.length > 0 && { reasons }),
    candidates: report.candidates.map((each) => explainCandidate(each, report)),
  };
}

function explainCandidate(each: Candidate, report: VersionReport): ExplainedCandidate {
  const { builtAt } = each.package;
  const best = report.candidates.find((other) => other.arch === each.arch && !other.obstacle);
  const isChosen = each === report.chosen || each === best;
  const detail = each.obstacle && describeObstacle(each);
  return {
    arch: each.arch,
    repository: each.repository,
    package: `${each.package.name}-${each.package.version}`,
    ...(builtAt !== undefined && { builtAt: timestamp(builtAt) }),
    ...(each.provided && { provided: true }),
    state: each.obstacle?.reason ?? (isChosen ? 'chosen' : 'duplicate'),
    ...(detail !== undefined && { detail }),
  };
}

/** In words and once each, whatever the number of archs and packages. */
function reasonsOf({ candidates, missingOn, builtAt }: VersionReport): readonly string[] {
  const since =
    builtAt === undefined ? '' : ` since ${timestamp(builtAt).slice(0, 10)}, when another arch got it`;
  const reasons = candidates
    .filter((each) => each.obstacle)
    .map((each) => `${describeObstacle(each)} on ${each.arch}`);
  const isInstallable = candidates.some((each) => !each.obstacle);
  for (const arch of isInstallable ? missingOn : []) {
    if (!candidates.some((each) => each.arch === arch)) reasons.push(`missing on ${arch}${since}`);
  }
  return [...new Set(reasons)];
}

function describeObstacle({ obstacle, package: each }: Candidate): string {
  switch (obstacle?.reason) {
    case 'dependency-unmet':
      return `${each.name} needs ${obstacle.dependency}, which cannot be installed`;
    case 'invalid-version':
      return 'apk calls the version invalid';
    case 'unversioned-provide':
      return `${each.name} provides it without a version, which no exact pin accepts`;
    case 'conflicting-provides':
      return `${each.name} has the name at several versions, which no exact pin accepts`;
    case 'foreign-arch':
      return `${each.name} is for another arch`;
    case 'unknown-field':
      return `${each.name} has a field that apk does not know and refuses`;
    case undefined:
      return 'nothing';
  }
}

function explainPin(report: NameReport, query: LookupQuery, pin: string): ExplainedPin {
  const pinned = pinnedVersion(query);
  if (!pinned) return { current: pin, state: 'invalid', because: 'the pin is no exact APK version' };
  const found = report.versions.find(({ version }) => version === pinned.text);
  const state = found?.offered ? 'offered' : found ? 'withheld' : 'gone';
  const offered = report.versions.flatMap(({ parsed, offered: is }) => (is && parsed ? [parsed] : []));
  return { current: pin, state, ...proposalFor(pinned, steer(offered, pinned), state) };
}

function proposalFor(
  pinned: Version,
  { road, target }: Steering,
  state: ExplainedPin['state'],
): Pick<ExplainedPin, 'proposal' | 'because'> {
  if (!target) return { because: 'there is no release at all' };
  if (target.text === pinned.text) return { because: 'the pin is the newest release' };
  if (road === 'unreachable')
    return { because: `${target.text} is newer, but Renovate cannot tell the two apart` };
  const isNewer = compareVersions(target, pinned) > 0;
  if (!isNewer) {
    return {
      proposal: target.text,
      because: `the pin is ${state} and nothing newer exists: roll back to ${target.text}`,
    };
  }
  const detour = road === 'rollback' ? '; Renovate takes it for an older one and calls it a rollback' : '';
  return { proposal: target.text, because: `${target.text} is the newest release${detour}` };
}
