/**
 * What one datasource knows: the packages of its repositories on each of its archs, asked by name.
 *
 * A catalog is immutable and made anew for every refresh; nothing is merged in advance. For a name it gathers the
 * candidates of every arch – packages so named and packages that provide it – and says of each version whether it is
 * a release, and if not, why. The rules are those of apk (docs/decisions/004):
 *
 * - A provide counts with *its* version, not with its package's. Without a version it is no release.
 * - A package that has a name twice, at least once with a version, is refused as a whole.
 * - Of several packages apk takes one (`Reading.preferred`) and fails if that one cannot be installed: packages whose
 *   exact dependencies are not there, and those that need them (`Coherence`).
 * - A release exists on every arch that carries the name at all; apko refuses any other.
 */
import { compareVersions, type Version } from '../apk/version.ts';
import type { Package, Packages, Unusable } from '../apk/packages.ts';
import { Reading, type Carrier, type Rule } from './carriers.ts';
import { Coherence, dependencyText, meetsItself, type Unmet } from './coherence.ts';
import { finish, isStep, sortInSteps } from './steps.ts';

/** The index of one repository for one arch. */
export interface CatalogSource {
  /** What to call the repository in answers. */
  readonly repository: string;
  readonly arch: string;
  readonly packages: Packages;
  /** The operator's template for links to the recipes' history. */
  readonly changelog?: string | undefined;
}

export interface CatalogOptions {
  /** In the order of the repositories: of the same name and version, the first one's counts. */
  readonly sources: readonly CatalogSource[];
  readonly archs: readonly string[];
  /** apko's looser rule: a provide without a version counts with its package's version. */
  readonly unversionedProvides?: boolean;
  /** Everything its packages need is in the datasource; what needs something else is then not offered. */
  readonly complete?: boolean;
}

/** Why a candidate is no release. */
export type Obstacle =
  | { readonly reason: 'invalid-version' }
  | { readonly reason: 'unversioned-provide' }
  /** The package has a name twice, at least once with a version; apk then refuses it for all its names. */
  | { readonly reason: 'conflicting-provides' }
  | { readonly reason: Unusable }
  /** A dependency that is not there, or is there and not installable itself. */
  | ({ readonly reason: 'dependency-unmet' } & Unmet);

export type WithheldReason = Obstacle['reason'] | 'missing-on-arch';

/** A package that gives a name one version on one arch. */
export interface Candidate {
  readonly version: string;
  readonly arch: string;
  readonly repository: string;
  /** The repository's own template for links to the recipe's history. */
  readonly changelog: string | undefined;
  readonly package: Package;
  /** The package has another name and provides this one. */
  readonly provided: boolean;
  readonly obstacle: Obstacle | undefined;
}

/** What is known of one version of a name. */
export interface VersionReport {
  readonly version: string;
  /** `undefined` where apk calls the version invalid. */
  readonly parsed: Version | undefined;
  readonly offered: boolean;
  /** The candidate that stands for the version: what apk takes, on the first arch where that can be installed. */
  readonly chosen: Candidate;
  /** What apk installs, one candidate an arch. */
  readonly chosenOn: readonly Candidate[];
  /** When the last arch got it, in unix seconds. */
  readonly builtAt: number | undefined;
  /** Archs that carry the name but no installable package of this version. */
  readonly missingOn: readonly string[];
  readonly candidates: readonly Candidate[];
}

/** Everything that is known of a name: oldest version first, invalid ones before all. */
export interface NameReport {
  readonly name: string;
  /** The archs that were asked about. */
  readonly archs: readonly string[];
  /** Those of them that carry the name at some valid version. */
  readonly carriedBy: readonly string[];
  readonly versions: readonly VersionReport[];
}

export class Catalog {
  readonly archs: readonly string[];
  readonly sources: readonly CatalogSource[];
  readonly #rule: Rule;
  #nameCount: number | undefined;
  /** Remembers what it found out, so that a survey of all names is quick; what it answers never changes. */
  readonly #coherence: Coherence;

  constructor({ sources, archs, unversionedProvides = false, complete = false }: CatalogOptions) {
    this.sources = sources;
    this.archs = archs;
    this.#rule = unversionedProvides ? 'apko' : 'apk';
    this.#coherence = new Coherence(complete);
  }

  /** How many packages there are, every arch and repository counted for itself. */
  get packageCount(): number {
    return this.sources.reduce((sum, { packages }) => sum + packages.packageCount, 0);
  }

  /** How many different package names there are. */
  get nameCount(): number {
    this.#nameCount ??= [...this.names()].length;
    return this.#nameCount;
  }

  /** All package names of all archs, each once. Provided names are not among them. */
  *names(): Iterable<string> {
    const seen = new Set<string>();
    for (const { packages } of this.sources) {
      for (const name of packages.names()) {
        if (seen.has(name)) continue;
        seen.add(name);
        yield name;
      }
    }
  }

  /** Is there any package of that name, or one that provides it? */
  has(name: string): boolean {
    return this.sources.some(
      ({ packages }) => packages.named(name).length + packages.providing(name).length > 0,
    );
  }

  /** What is known of `name`, on all archs of the datasource or on some of them. */
  report(name: string, archs: readonly string[] = this.archs): NameReport {
    return finish(this.reportInSteps(name, archs));
  }

  /** The same in steps of about a millisecond: a name may have as many versions as an index has packages. */
  *reportInSteps(name: string, archs: readonly string[] = this.archs): Generator<undefined, NameReport> {
    const reading = new Reading(this.sources, this.#rule);
    const groups = new Map<string, Candidate[]>();
    const taken = new Map<string, Candidate[]>();
    const carriedBy = new Set<string>();
    for (const arch of archs) {
      for (const [i, carrier] of (yield* reading.carriers(name, arch)).entries()) {
        if (isStep(i)) yield;
        const { versions, obstacle } = this.#claims(carrier);
        for (const version of versions) {
          const candidate = toCandidate(
            carrier,
            version,
            obstacle ?? (yield* this.#obstacle(carrier, version, reading)),
          );
          if (!candidate.obstacle || candidate.obstacle.reason === 'dependency-unmet') carriedBy.add(arch);
          push(groups, version, candidate);
          const isTaken = (yield* reading.taken(name, version, arch))?.id === carrier.id;
          if (isTaken && reading.parse(version)) push(taken, reading.versionKey(version), candidate);
        }
      }
    }
    const carriers = archs.filter((arch) => carriedBy.has(arch));
    const versions: VersionReport[] = [];
    for (const [version, candidates] of groups) {
      if (isStep(versions.length)) yield;
      const parsed = reading.parse(version);
      const chosen = taken.get(reading.versionKey(version)) ?? [];
      versions.push(reportVersion({ version, parsed, candidates, chosen, carriedBy: carriers }));
    }
    return { name, archs, carriedBy: carriers, versions: yield* sortInSteps(versions, byVersion) };
  }

  /**
   * Tells of packages what they need and no usable package of the catalog meets: plain names, ranges, exact versions.
   * For many packages at once, because they need much the same.
   */
  missingNeeds(): (candidate: Pick<Candidate, 'package' | 'arch'>) => readonly string[] {
    const known = new Map<string, boolean>();
    return ({ package: each, arch }) =>
      each.dependencies.flatMap((dependency) => {
        if (dependency.conflict) return [];
        const text = dependencyText(dependency);
        const key = `${arch} ${text}`;
        // Made anew, because it would keep everything it has read.
        const reading = new Reading(this.sources, this.#rule);
        let isMet = known.get(key);
        if (isMet === undefined) {
          isMet = finish(reading.meeting(dependency, arch)).length > 0;
          known.set(key, isMet);
        }
        return isMet || meetsItself(each, dependency, reading) ? [] : text;
      });
  }

  /** The versions to which a carrier lays claim: one, or several that are all unusable. */
  #claims({ package: each, versions: given }: Carrier): { versions: readonly string[]; obstacle?: Obstacle } {
    const versions = new Set(given.filter((version) => version !== undefined));
    if (versions.size === 0) return { versions: [each.version], obstacle: { reason: 'unversioned-provide' } };
    if (versions.size > 1 || (this.#rule === 'apk' && each.conflictsWithItself))
      return { versions: [...versions], obstacle: { reason: 'conflicting-provides' } };
    return { versions: [...versions] };
  }

  *#obstacle(
    carrier: Carrier,
    version: string,
    reading: Reading,
  ): Generator<undefined, Obstacle | undefined> {
    const { unusable } = carrier.package;
    if (unusable) return { reason: unusable };
    if (!reading.parse(version)) return { reason: 'invalid-version' };
    const unmet = yield* this.#coherence.unmet(carrier, reading);
    return unmet && { reason: 'dependency-unmet', ...unmet };
  }
}

function toCandidate(
  { package: each, source, provided }: Carrier,
  version: string,
  obstacle: Obstacle | undefined,
): Candidate {
  const { arch, repository, changelog } = source;
  return { version, arch, repository, changelog, package: each, provided, obstacle };
}

function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

/** `chosen` are the candidates that apk takes for the version, one an arch, in the order of the archs. */
function reportVersion({
  version,
  parsed,
  candidates,
  chosen,
  carriedBy,
}: {
  readonly version: string;
  readonly parsed: Version | undefined;
  readonly candidates: readonly Candidate[];
  readonly chosen: readonly Candidate[];
  readonly carriedBy: readonly string[];
}): VersionReport {
  const installable = chosen.filter(({ obstacle }) => !obstacle);
  const missingOn = carriedBy.filter((arch) => !installable.some((each) => each.arch === arch));
  const times = installable.map((each) => each.package.builtAt ?? 0);
  return {
    version,
    parsed,
    offered: carriedBy.length > 0 && missingOn.length === 0,
    chosen: installable[0] ?? chosen[0] ?? (candidates[0] as Candidate),
    chosenOn: installable,
    builtAt: Math.max(0, ...times) || undefined,
    missingOn,
    candidates,
  };
}

/** Invalid versions first, by their text; versions that apk calls equal by their text. */
function byVersion(a: VersionReport, b: VersionReport): number {
  if (a.parsed && b.parsed) {
    const order = compareVersions(a.parsed, b.parsed);
    if (order !== 0) return order;
  } else if (a.parsed ?? b.parsed) return a.parsed ? 1 : -1;
  return a.version < b.version ? -1 : 1;
}
