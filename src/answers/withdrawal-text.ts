/** Expected withdrawals as text for people and as a mark for Renovate. */
import type { Version } from '../apk/version.ts';
import type { CatalogSource, NameReport } from '../catalog/catalog.ts';
import { findInSteps } from '../catalog/steps.ts';
import { isLikely, withdrawalsIn, type Withdrawal } from '../catalog/withdrawal.ts';

export function withdrawalText(withdrawal: Withdrawal): string {
  const { expectedOn, rule } = withdrawal;
  const verb = isLikely(withdrawal) ? 'expected to' : 'may';
  const when = expectedOn === undefined ? 'when the next version comes' : `on or after ${expectedOn}`;
  return `${verb} be withdrawn ${when}, by rule ${rule}`;
}

/**
 * The mark `#withdrawal=2026-08-13,old-build` for the changelog link of a pin that is more likely withdrawn than not;
 * otherwise empty. The preset turns it into a sentence of the merge request. The end of a series is ignored, because it
 * concerns the newest version, for which there is no merge request.
 */
export function* withdrawalMark(
  report: NameReport,
  sources: readonly CatalogSource[],
  { text }: Version,
): Generator<undefined, string> {
  const { versions } = report;
  const pinned = yield* findInSteps(versions, ({ version }) => version === text);
  if (!pinned || pinned === versions.at(-1)) return '';
  const expected = (yield* withdrawalsIn(report, sources)).get(pinned);
  if (expected?.expectedOn === undefined || !isLikely(expected)) return '';
  return `#withdrawal=${expected.expectedOn},${expected.rule}`;
}
