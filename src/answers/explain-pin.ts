/** What a pin would be updated to, and why. */
import { parseConstraint, satisfies, type Constraint } from '../apk/constraint.ts';
import {
  asPrecise,
  compareVersions,
  isPreRelease,
  parseVersion,
  withoutRevision,
  type Version,
} from '../apk/version.ts';
import type { NameReport } from '../catalog/catalog.ts';
import { filterInSteps, findInSteps, findLastInSteps, mapInSteps } from '../catalog/steps.ts';
import { barePin, pinnedVersion, type LookupQuery } from './query.ts';
import { offeredReleases } from './releases.ts';
import { filterForRenovate, type FilteredVersions } from './renovate-list.ts';

export interface ExplainedPin {
  readonly current: string;
  readonly state: 'offered' | 'other-line' | 'withheld' | 'gone' | 'invalid';
  /** The target of an update or rollback; absent if there is none. */
  readonly proposal?: string;
  readonly because: string;
}

/** `pin` is as users write it: a version, a constraint (`~13`) or several (`>=2 <3`). */
export function* explainPin(
  report: NameReport,
  query: LookupQuery,
  pin: string,
): Generator<undefined, ExplainedPin> {
  const pinned = pinnedVersion(query);
  if (!pinned) return yield* explainRange(report, query, pin);
  const offered = yield* offeredBy(report, query);
  const isPin = ({ text }: Version): boolean => text === pinned.text;
  const state = yield* stateOf(report, query, { isOffered: offered.some(isPin), fits: isPin });
  return {
    current: pin,
    state,
    ...proposalFor(pinned, yield* filterForRenovate(offered, pinned), state),
  };
}

/** What the answer lists for the same query without the pin. */
function* offeredBy(report: NameReport, query: LookupQuery): Generator<undefined, readonly Version[]> {
  return yield* mapInSteps(yield* offeredReleases(report, query), ({ version }) => version);
}

function* stateOf(
  { versions }: NameReport,
  { stripRevision }: LookupQuery,
  { isOffered, fits }: { readonly isOffered: boolean; readonly fits: (version: Version) => boolean },
): Generator<undefined, 'offered' | 'other-line' | 'withheld' | 'gone'> {
  if (isOffered) return 'offered';
  const there = yield* filterInSteps(
    versions,
    ({ parsed }) => parsed !== undefined && fits(stripRevision ? withoutRevision(parsed) : parsed),
  );
  if (there.length === 0) return 'gone';
  // Only the line keeps an offered version from the list.
  return (yield* findInSteps(there, (version) => version.offered)) ? 'other-line' : 'withheld';
}

/** A pin that allows several versions: `~13`, `=~20250619`, `>=2 <3`. */
function* explainRange(
  report: NameReport,
  query: LookupQuery,
  pin: string,
): Generator<undefined, ExplainedPin> {
  const constraints = barePin(pin)
    .split(/[ ,]+/)
    .filter((part) => part !== '')
    .map(parseConstraint);
  if (constraints.length === 0 || !constraints.every((each) => each !== undefined)) {
    const because =
      validOnlyBefore(pin.replace(/^=/, '')) ??
      'the pin is neither an APK version nor a constraint such as ~1.2 or >=1 <2';
    return { current: pin, state: 'invalid', because };
  }
  const fits = (version: Version): boolean => constraints.every((each) => satisfies(version, each));
  const offered = yield* offeredBy(report, query);
  const installed = yield* newestStable(yield* filterInSteps(offered, fits));
  const newest = yield* newestStable(offered);
  const state = yield* stateOf(report, query, { isOffered: installed !== undefined, fits });
  const now = installed ? `${installed.text} is the newest release that fits` : 'no release fits';
  if (!newest) return { current: pin, state, because: 'no version is offered' };
  if (newest === installed) return { current: pin, state, because: 'the newest release fits' };
  const [only] = constraints;
  const moved = constraints.length === 1 && only ? movedTo(newest, only) : undefined;
  const isOlder = only !== undefined && compareVersions(newest, only.version) < 0;
  if (moved === undefined || (isOlder && installed))
    return { current: pin, state, because: `${now}; ${newest.text} does not` };
  if (isOlder)
    return {
      current: pin,
      state,
      proposal: moved,
      because: `${now}, and nothing newer exists, so this is a rollback`,
    };
  return { current: pin, state, proposal: moved, because: `${now}; ${newest.text} is newer` };
}

function* newestStable(versions: readonly Version[]): Generator<undefined, Version | undefined> {
  return (yield* findLastInSteps(versions, (version) => !isPreRelease(version))) ?? versions.at(-1);
}

/**
 * The same kind of pin for `newest`, with the same precision: `~13` → `~16`. Only for lines; bounds are not changed.
 */
function movedTo(newest: Version, { operator, version }: Constraint): string | undefined {
  return operator.includes('~') ? operator + asPrecise(newest, version) : undefined;
}

function proposalFor(
  pinned: Version,
  { updatePath, target }: FilteredVersions,
  state: ExplainedPin['state'],
): Pick<ExplainedPin, 'proposal' | 'because'> {
  if (!target) return { because: 'no version is offered' };
  if (target.text === pinned.text) return { because: 'the pin is the newest release' };
  const isNewer = compareVersions(target, pinned) > 0;
  if (updatePath === 'unreachable') {
    const fact = isNewer ? `${target.text} is newer` : `${target.text} is older and the newest release`;
    return { because: `${fact}, but Renovate cannot distinguish the two` };
  }
  if (!isNewer) {
    const fact =
      state === 'other-line'
        ? 'the pin is newer than the line'
        : `the pin is ${state} and nothing newer exists`;
    return { proposal: target.text, because: `${fact}, so this is a rollback` };
  }
  const detour =
    updatePath === 'rollback' ? '; Renovate considers it older and calls the update a rollback' : '';
  return { proposal: target.text, because: `${target.text} is the newest release${detour}` };
}

/** The message for an invalid version that apk 2.14 accepts: `6.8.0p2-r4`, with digits after the letter. */
export function validOnlyBefore(text: string): string | undefined {
  const [, head, tail = ''] = /^(\d[\d.]*[a-z])\d+((?:[_-].*)?)$/.exec(text) ?? [];
  return head !== undefined && parseVersion(head + tail)
    ? 'apk 3 calls the version invalid, only apk 2.14 accepts it'
    : undefined;
}
