/** The offered versions of names, and their changes between two catalogs. */
import { createHash } from 'node:crypto';
import { isPreRelease } from '../apk/version.ts';
import type { Catalog } from '../catalog/catalog.ts';

/** The offered versions of one name. */
export interface Offer {
  /** The newest version that every arch has; empty if there is none. */
  readonly newest: string;
  /** A hash of all offered versions: a line such as 1.35 may change while the newest version stays. */
  readonly versions: string;
}

export interface Change {
  readonly name: string;
  /** Absent if none is offered any more. */
  readonly newest?: string | undefined;
  /** The newest version before; absent if there was none or it is unknown. */
  readonly before?: string | undefined;
}

/**
 * What is offered of names. A name is left out while its versions exist on some archs only: repositories that keep one
 * version of a name publish arch by arch, and in between offer none.
 */
export function* offersInSteps(
  catalog: Catalog,
  names: Iterable<string>,
): Generator<undefined, ReadonlyMap<string, Offer>> {
  const offers = new Map<string, Offer>();
  for (const name of names) {
    const report = yield* catalog.reportUnlessCrowded(name);
    if (!report) continue;
    const { versions } = report;
    const offered = versions.flatMap(({ offered, parsed }) => (offered && parsed ? [parsed] : []));
    if (offered.length === 0 && versions.some(({ chosenOn }) => chosenOn.length > 0)) continue;
    const newest = offered.findLast((version) => !isPreRelease(version)) ?? offered.at(-1);
    const hash = createHash('sha256').update(offered.map(({ text }) => text).join('\n'));
    offers.set(name, { newest: newest?.text ?? '', versions: hash.digest('hex').slice(0, 12) });
    yield;
  }
  return offers;
}

/** The changes of names that are in both, in the order of `after`. */
export function changesOf(
  before: ReadonlyMap<string, Offer>,
  after: ReadonlyMap<string, Offer>,
): readonly Change[] {
  return [...after].flatMap(([name, offer]) => {
    const known = before.get(name);
    return known && known.versions !== offer.versions ? [changeTo(name, offer, known)] : [];
  });
}

export function changeTo(name: string, { newest }: Offer, before?: Offer): Change {
  return { name, ...(newest && { newest }), ...(before?.newest && { before: before.newest }) };
}

/** Merges two successive changes. */
export function joined(earlier: readonly Change[], later: readonly Change[]): readonly Change[] {
  const changes = new Map(earlier.map((change) => [change.name, change]));
  for (const change of later) {
    const { name, newest } = change;
    const { before } = changes.get(name) ?? change;
    changes.set(name, {
      name,
      ...(newest !== undefined && { newest }),
      ...(before !== undefined && { before }),
    });
  }
  return [...changes.values()];
}
