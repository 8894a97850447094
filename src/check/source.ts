/** A datasource for judging pins: its versions by the rules of a tool, and checks that need the whole datasource. */
import { LRUCache } from 'lru-cache';
import type { Advisories } from '../advisories/advisories.ts';
import type { Version } from '../apk/version.ts';
import { CloseNames } from '../answers/close-names.ts';
import { newestBuild } from '../answers/explain-notes.ts';
import { Security, type Fix } from '../answers/security.ts';
import { withdrawalText } from '../answers/withdrawal-text.ts';
import { Catalog, type Candidate, type NameReport, type VersionReport } from '../catalog/catalog.ts';
import type { Unmet } from '../catalog/coherence.ts';
import type { Needs } from '../catalog/needs.ts';
import { SeriesIndex } from '../catalog/series.ts';
import { finish } from '../catalog/steps.ts';
import { isLikely, withdrawalsIn } from '../catalog/withdrawal.ts';
import type { Pin } from '../pins/pin.ts';
import { parseApkoVersion } from './apko.ts';
import { Build } from './apko-resolver.ts';
import type { PinToJudge, Judged, JudgeOptions, Problem, Tags } from './judgment.ts';
import { ANY, type Meets } from './meets.ts';

/** Milliseconds: withdrawals expected sooner are worth a warning. */
const SOON = 31 * 86_400_000;

/** The most cached judgments; most repositories pin fewer packages. */
const MAX_JUDGED = 10_000;
/** The most names with cached versions: pins of one name often follow each other. */
const MAX_VIEWS = 256;
/** Characters of the pins of images that apko's algorithm was asked about: some thousands of images. */
const MAX_RESOLVED = 4 * 1024 * 1024;
/** The most cached apko builds: one for each arch of images with the same archs and tags. */
const MAX_BUILDS = 8;
/** The most names and constraints whose packages a build caches. */
const MAX_BUILD_SIZE = 20_000;

export type ApkoObstacle = { readonly arch: string; readonly fact: string } | 'none';

/** A datasource for judging pins, with bounded caches. */
export class Source {
  readonly name: string;
  readonly #catalogs: Readonly<Record<Pin['tool'], Catalog>>;
  readonly #advisories: Advisories | undefined;
  readonly #judged = new LRUCache<string, Judged>({ max: MAX_JUDGED });
  readonly #views = new LRUCache<string, View>({ max: MAX_VIEWS });
  readonly #resolved = new LRUCache<string, ApkoObstacle>({
    maxSize: MAX_RESOLVED,
    sizeCalculation: (_obstacle, key) => key.length,
  });
  readonly #builds = new LRUCache<string, Build>({ max: MAX_BUILDS });
  readonly #needs: Partial<Record<Pin['tool'], Needs>> = {};
  #names: readonly string[] | undefined;
  #close: CloseNames | undefined;
  #series: SeriesIndex | undefined;

  constructor(name: string, catalog: Catalog, advisories?: Advisories) {
    const { sources, archs } = catalog;
    this.name = name;
    this.#advisories = advisories;
    this.#catalogs = {
      apk: catalog,
      apko: new Catalog({ sources, archs, unversionedProvides: true, complete: catalog.isComplete }),
    };
  }

  get hasAdvisories(): boolean {
    return this.#advisories !== undefined;
  }

  get archs(): readonly string[] {
    return this.#catalogs.apk.archs;
  }

  /** The repositories of its indexes, each once. */
  get repositories(): ReadonlySet<string> {
    return new Set(this.#catalogs.apk.sources.map(({ repository }) => repository));
  }

  /** The cached judgment, or the result of `judge`. The same key means the same pin and options. */
  judged(key: string, judge: () => Judged): Judged {
    let judged = this.#judged.get(key);
    if (!judged) this.#judged.set(key, (judged = judge()));
    return judged;
  }

  has(name: string): boolean {
    return this.#catalogs.apk.has(name);
  }

  view(name: string, tool: Pin['tool'], archs: readonly string[]): View {
    const key = `${tool} ${archs.join()} ${name}`;
    let view = this.#views.get(key);
    if (!view) {
      const report = this.#catalogs[tool].report(name, archs);
      view = new View(report, tool, archs, () => this.#needsOf(tool));
      this.#views.set(key, view);
    }
    return view;
  }

  /** Whether every dependency is in it; otherwise one may be in a repository that is not configured. */
  get isComplete(): boolean {
    return this.#catalogs.apko.isComplete;
  }

  /** Where and why apko's own algorithm fails with these pins in one image and nothing but this datasource. */
  *obstacleByApko(
    pins: readonly PinToJudge[],
    { archs, tags }: Pick<JudgeOptions, 'archs' | 'tags'>,
  ): Generator<undefined, ApkoObstacle> {
    const texts = pins.map(
      ({ name, operator, version, tag }) =>
        `${name}${operator}${version}${tag === undefined ? '' : `@${tag}`}`,
    );
    const key = [archs.join(), tags.key, ...texts].join(' ');
    const known = this.#resolved.get(key);
    if (known) return known;
    const obstacle = yield* this.#resolve(texts, archs, tags);
    this.#resolved.set(key, obstacle);
    return obstacle;
  }

  *#resolve(
    texts: readonly string[],
    archs: readonly string[],
    tags: Tags,
  ): Generator<undefined, ApkoObstacle> {
    for (const arch of archs) {
      const fact = yield* this.#buildFor(arch, archs, tags).obstacle(texts);
      if (fact !== undefined) return { arch, fact };
    }
    return 'none';
  }

  #buildFor(arch: string, archs: readonly string[], tags: Tags): Build {
    const key = `${arch} ${archs.join()} ${tags.key}`;
    let build = this.#builds.get(key);
    if (!build || build.size > MAX_BUILD_SIZE) {
      const { sources } = this.#catalogs.apko;
      const byArch = new Map(archs.map((each) => [each, sources.filter((source) => source.arch === each)]));
      build = new Build({ arch, sources: byArch, tagOf: tags.of });
      this.#builds.set(key, build);
    }
    return build;
  }

  /** Which exact pins cannot be installed together because of exact dependencies, and why; on one arch. */
  *conflict(
    pins: readonly PinToJudge[],
    tool: Pin['tool'],
    arch: string,
  ): Generator<undefined, { readonly pins: readonly PinToJudge[]; readonly fact: string } | undefined> {
    const found = yield* this.#catalogs[tool].conflict(pins, arch);
    return found && { pins: pins.filter((_, i) => found.asked.includes(i)), fact: unmetText(found.unmet) };
  }

  /** The expected withdrawal of an exactly pinned version. */
  withdrawal({ name, tool }: PinToJudge, { report }: View, meets: Meets, now: number): readonly Problem[] {
    const { sources } = this.#catalogs[tool];
    const nextSeriesBuiltAt = (): number | undefined => this.#nextSeriesBuiltAt(name);
    const expected = finish(withdrawalsIn(report, sources, { nextSeriesBuiltAt }));
    const version = report.versions.findLast((each) => meets(each.version));
    const withdrawal = version && expected.get(version);
    if (!withdrawal) return [];
    const { expectedOn } = withdrawal;
    const isSoon = expectedOn !== undefined && Date.parse(expectedOn) - now < SOON && isLikely(withdrawal);
    const message = `${version.version} ${isLikely(withdrawal) ? 'is ' : ''}${withdrawalText(withdrawal)}`;
    return [{ rule: 'expected-withdrawal', message, ...(!isSoon && { level: 'note' }) }];
  }

  /** Build time of the newest package of the newest series, if there is a newer series. */
  #nextSeriesBuiltAt(name: string): number | undefined {
    const [next] = this.#allSeries().newerThan(name);
    const report = next && finish(this.#catalogs.apk.reportUnlessCrowded(next.name));
    return report && finish(newestBuild(report));
  }

  #allSeries(): SeriesIndex {
    this.#series ??= finish(SeriesIndex.of(this.#allNames()));
    return this.#series;
  }

  #allNames(): readonly string[] {
    this.#names ??= [...this.#catalogs.apk.names()];
    return this.#names;
  }

  /** For an unknown name: its series, or similar names. */
  closeNames(name: string): readonly string[] {
    const series = this.#allSeries().of(name);
    if (series.length > 0) return series.slice(0, 3).map((each) => each.name);
    this.#close ??= finish(CloseNames.of(this.#allNames()));
    return finish(this.#close.to(name));
  }

  /** What an update to each of `targets` (oldest first) fixes; empty without advisories. */
  fixes({ report }: View, from: Version, targets: readonly Version[]): readonly Fix[] {
    return this.#advisories ? finish(new Security(this.#advisories, report).fixes(from, targets)) : [];
  }

  #needsOf(tool: Pin['tool']): Needs {
    return (this.#needs[tool] = this.#catalogs[tool].needs(this.#needs[tool]));
  }
}

/** The versions of a name on the archs of an image, by the rules of a tool. */
export class View {
  readonly report: NameReport;
  readonly #tool: Pin['tool'];
  readonly #needs: () => Needs;
  /** The archs on which the pin must exist. */
  readonly archs: readonly string[];
  #offered: readonly VersionReport[] | undefined;
  #packages: ReadonlyMap<string, ReadonlySet<string>> | undefined;

  constructor(report: NameReport, tool: Pin['tool'], archs: readonly string[], needs: () => Needs) {
    this.report = report;
    this.#needs = needs;
    this.#tool = tool;
    // apk builds only for archs that have the name; apko builds for all archs that the image lists.
    this.archs = tool === 'apko' ? archs : report.carriedBy;
  }

  /** Installable candidates on an arch, at any version that `meets`. */
  fitting(meets: Meets, arch: string): readonly Candidate[] {
    return this.report.versions.flatMap((version) =>
      meets(version.version)
        ? version.candidates.filter(
            (each) => each.arch === arch && isInstallable(each, meets) && this.#isOnAll(each, version),
          )
        : [],
    );
  }

  /**
   * Whether the pin can be installed on an arch. Solvers take the newest version that fits, and no older one if that one
   * has a name twice or lacks an exact dependency.
   */
  isMet(meets: Meets, arch: string): boolean {
    for (const version of this.report.versions.toReversed()) {
      if (!meets(version.version)) continue;
      const taken = version.candidates.filter(
        (each) =>
          each.arch === arch &&
          (isInstallable(each, meets) ||
            each.obstacle?.reason === 'dependency-unmet' ||
            each.obstacle?.reason === 'conflicting-provides') &&
          this.#isOnAll(each, version),
      );
      // Of several packages with a version, apk takes one, even if only another can be installed.
      if (taken.length > 0)
        return this.#tool === 'apk' && meets !== ANY
          ? version.chosenOn.some((each) => each.arch === arch)
          : taken.some((each) => isInstallable(each, meets));
    }
    return false;
  }

  /** Versions on every arch, oldest first. */
  get offered(): readonly VersionReport[] {
    this.#offered ??= this.report.versions.filter(
      (version) => version.parsed && version.offered && (this.#tool === 'apk' || this.#isForApko(version)),
    );
    return this.#offered;
  }

  /** Whether apko can read the version, and every arch of the pin has an installable candidate of it. */
  #isForApko(version: VersionReport): boolean {
    return (
      this.archs.length > 0 &&
      parseApkoVersion(version.version) !== undefined &&
      this.archs.every((arch) =>
        version.candidates.some(
          (each) => each.arch === arch && !each.obstacle && this.#isOnAll(each, version),
        ),
      )
    );
  }

  missingNeeds(candidates: readonly Candidate[]): readonly string[] {
    const needs = this.#needs();
    return [...new Set(candidates.flatMap((each) => finish(needs.missing(each))))];
  }

  /** apko takes a package only if every arch has it at the same version. */
  #isOnAll({ package: own, provided }: Candidate, { candidates }: VersionReport): boolean {
    if (this.#tool === 'apk' || this.archs.length < 2) return true;
    // A package with the name itself has no other version.
    if (
      !provided &&
      this.archs.every((arch) => candidates.some((each) => each.arch === arch && !each.provided))
    )
      return true;
    return this.archs.every((arch) => this.#packagesOn(arch).has(`${own.name} ${own.version}`));
  }

  #packagesOn(arch: string): ReadonlySet<string> {
    if (!this.#packages) {
      const all = new Map<string, Set<string>>();
      for (const { candidates } of this.report.versions)
        for (const { arch: own, package: each } of candidates) {
          const known = all.get(own) ?? new Set<string>();
          all.set(own, known.add(`${each.name} ${each.version}`));
        }
      this.#packages = all;
    }
    return this.#packages.get(arch) ?? new Set();
  }
}

/** Without a constraint, no version or an invalid one will do. */
function isInstallable({ obstacle }: Candidate, meets: Meets): boolean {
  return (
    obstacle === undefined ||
    (meets === ANY && /^(?:unversioned-provide|invalid-version)$/.test(obstacle.reason))
  );
}

function unmetText({ dependency, conflictsWith }: Unmet): string {
  return conflictsWith === undefined
    ? `nothing has ${dependency}`
    : `${dependency} conflicts with ${conflictsWith}`;
}
