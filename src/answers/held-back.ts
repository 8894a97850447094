/** The versions of a name that a view holds back (docs/decisions/017). */
import { satisfies } from '../apk/constraint.ts';
import { compareVersions, withoutRevision, type Version } from '../apk/version.ts';
import type { NameReport, VersionReport } from '../catalog/catalog.ts';
import { filterInSteps, findInSteps, findLastInSteps, sortInSteps } from '../catalog/steps.ts';
import type { Snapshot, View } from '../repository/live-datasource.ts';
import { versionWithRevision, type LookupQuery } from './query.ts';

export interface HeldBack {
  readonly view: View;
  /** Versions that the datasource offers and the view does not, oldest first. */
  readonly versions: readonly VersionReport[];
}

/**
 * `report` is the view's. `undefined` if the snapshot is not a view, or the datasource does not have the name.
 */
export function* heldBackIn(
  { view }: Snapshot,
  { name, archs, versions }: NameReport,
): Generator<undefined, HeldBack | undefined> {
  if (!view) return undefined;
  const all = yield* view.base.catalog.reportInSteps(name, archs);
  if (all.versions.length === 0) return undefined;
  const shown = new Set((yield* filterInSteps(versions, isOffered)).map(({ version }) => version));
  return {
    view,
    versions: yield* filterInSteps(all.versions, (each) => each.offered && !shown.has(each.version)),
  };
}

/** Whether the datasource has the name, even if the view holds all of it back. */
export function isKnown({ catalog, view }: Snapshot, name: string): boolean {
  return (view?.base.catalog ?? catalog).has(name);
}

/**
 * A view does not roll pins back: if no offered version fits the pin, the newest held-back one that fits counts as
 * offered for this pin. Otherwise merge requests would be closed and rollbacks opened because of its age. For a pin
 * with a separate revision, the version with that revision is tried first.
 */
export function* withPinned(
  report: NameReport,
  heldBack: HeldBack | undefined,
  query: LookupQuery,
): Generator<undefined, NameReport> {
  const { current, stripRevision } = query;
  if (!heldBack || !current) return report;
  const full = versionWithRevision(query);
  const isFull = (version: Version): boolean => !!full && compareVersions(version, full) === 0;
  const fitsPin = (version: Version): boolean =>
    satisfies(stripRevision ? withoutRevision(version) : version, current);
  for (const fits of [isFull, fitsPin]) {
    const isFitting = ({ offered, parsed }: VersionReport): boolean =>
      offered && parsed !== undefined && fits(parsed);
    if (yield* findInSteps(report.versions, isFitting)) return report;
    const pinned = yield* findLastInSteps(heldBack.versions, isFitting);
    if (!pinned) continue;
    const others = yield* filterInSteps(report.versions, ({ version }) => version !== pinned.version);
    return { ...report, versions: yield* sortInSteps([...others, pinned], compareReports) };
  }
  return report;
}

function isOffered({ offered }: VersionReport): boolean {
  return offered;
}

/** In the order of a report. */
function compareReports(
  { parsed: a, version: left }: VersionReport,
  { parsed: b, version: right }: VersionReport,
): number {
  if (a && b) return compareVersions(a, b);
  return Number(!!a) - Number(!!b) || (left < right ? -1 : 1);
}
