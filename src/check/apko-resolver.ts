/**
 * Whether apko resolves a package with all its dependencies, by apko's own algorithm (pkg/apk/apk/repo.go of 1.2.39),
 * which does not backtrack. It takes the constraint with the fewest candidates, and of these the best one. If a
 * dependency of that one is missing, it gives up, even if another candidate would do.
 */
import type { CatalogSource } from '../catalog/catalog.ts';
import type { Package, Packages } from '../apk/packages.ts';
import { ITEMS_A_STEP } from '../catalog/steps.ts';
import { apkoFits, apkoOperators, compareApkoVersions, parseApkoVersion, type ApkoVersion } from './apko.ts';

/** The sources of a build for several archs, by arch. */
export type SourcesByArch = ReadonlyMap<string, readonly CatalogSource[]>;

interface Constraint {
  readonly text: string;
  readonly name: string;
  readonly operator: string;
  readonly version: string;
  readonly tag: string | undefined;
}

interface Version {
  readonly text: string;
  /** `undefined` if apko cannot read it. */
  readonly parsed: ApkoVersion | undefined;
}

/** A candidate. Name and version are read most, and each once. */
class Option {
  readonly package: Package;
  readonly name: string;
  /** The same for the same row of the same index. */
  readonly key: string;
  /** The tag that the image gives its repository. */
  readonly tag: string | undefined;
  #version: Version | undefined;

  constructor(of: Package, key: string, tag: string | undefined) {
    this.package = of;
    this.name = of.name;
    this.key = key;
    this.tag = tag;
  }

  get version(): Version {
    this.#version ??= versionOf(this.package.version);
    return this.#version;
  }
}

/** More packages than an image has. A build that needs more counts as resolvable. */
const MAX_PICKED = 4000;

export class Unresolvable extends Error {}

export interface BuildOptions {
  readonly arch: string;
  readonly sources: SourcesByArch;
  /** The tag that the image gives a repository. */
  readonly tagOf: (repository: string) => string | undefined;
}

/** What a build for one arch may take from the indexes. Remembers the packages of a name. */
export class Build {
  readonly #own: readonly CatalogSource[];
  readonly #others: readonly (readonly CatalogSource[])[];
  readonly #options = new Map<string, readonly Option[]>();
  readonly #meeting = new Map<string, readonly Option[]>();
  readonly #misfits = new Map<string, readonly string[]>();
  readonly #isShared = new Map<string, boolean>();
  readonly #tagOf: BuildOptions['tagOf'];

  constructor({ arch, sources, tagOf }: BuildOptions) {
    this.#tagOf = tagOf;
    // apko sorts its repositories; if two have the same package, the first one counts.
    this.#own = (sources.get(arch) ?? []).toSorted((a, b) => (a.repository < b.repository ? -1 : 1));
    this.#others = [...sources].filter(([name]) => name !== arch).map(([, each]) => each);
  }

  /** Why apko cannot install all of these together; `undefined` if it can. */
  *obstacle(constraints: readonly string[]): Generator<undefined, string | undefined> {
    try {
      yield* new Resolver(this).resolve(constraints);
      return undefined;
    } catch (error) {
      if (error instanceof Unresolvable) return error.message;
      throw error;
    }
  }

  /** What apko installs. Throws `Unresolvable` with the reason if it cannot resolve the constraints. */
  *packages(constraints: readonly string[]): Generator<undefined, readonly Package[]> {
    const installed = yield* new Resolver(this).resolve(constraints);
    return [...installed.values()].map((option) => option.package);
  }

  /** Names and constraints of which it remembers the packages. */
  get size(): number {
    return this.#options.size + this.#meeting.size + this.#misfits.size;
  }

  /** What meets a constraint, on every arch. */
  meeting({ name, operator, version, text }: Constraint): readonly Option[] {
    let known = this.#meeting.get(text);
    if (!known) {
      const fits = operator === '' ? () => true : apkoFits(operator, version);
      known = this.optionsOf(name).filter((option) => {
        if (!fits || !this.#isOnAllArchs(option)) return false;
        const { parsed } = option.version;
        if (operator === '' || fits(parsed)) return true;
        // If a package has a readable version of its own, any of its provides will do, whatever the name.
        return (
          parsed !== undefined &&
          option.package.provides.some(
            (each) => each.version !== undefined && fits(versionOfProvide(each.name, each.version).parsed),
          )
        );
      });
      this.#meeting.set(text, known);
    }
    return known;
  }

  /** The keys of what has the name at a version that does not fit. */
  misfits({ name, operator, version, text }: Constraint): readonly string[] {
    let known = this.#misfits.get(text);
    if (!known) {
      const options = operator === '' ? [] : this.optionsOf(name);
      const fits = apkoFits(operator, version);
      if (options.length > 0 && !fits) throw new Unresolvable(`${text} has no version`);
      known = options
        .filter((option) => !versionsFor(option, name).every((each) => !each || fits?.(each.parsed)))
        .map(({ key }) => key);
      this.#misfits.set(text, known);
    }
    return known;
  }

  /** In apko's order: on a tie the first one counts. A package is there as often as it has or provides the name. */
  optionsOf(name: string): readonly Option[] {
    let known = this.#options.get(name);
    if (!known) {
      const options = (found: (packages: Packages) => readonly Package[]): readonly Option[] =>
        this.#own.flatMap(({ packages, repository }, i) => {
          const tag = this.#tagOf(repository);
          return found(packages)
            .filter(({ unusable }) => !unusable)
            .map((each) => new Option(each, `${i} ${each.row}`, tag));
        });
      const providing = options((packages) =>
        packages.providing(name).flatMap((each) => each.provided(name).map(() => each)),
      );
      const byPackage = Map.groupBy(providing, (option) => option.name);
      known = [...options((packages) => packages.named(name)), ...[...byPackage.values()].flat()];
      this.#options.set(name, known);
    }
    return known;
  }

  #isOnAllArchs({ name, version: { text: version } }: Option): boolean {
    if (this.#others.length === 0) return true;
    const text = `${name} ${version}`;
    let known = this.#isShared.get(text);
    if (known === undefined) {
      known = this.#others.every((sources) =>
        sources.some(({ packages }) => packages.named(name).some((each) => each.version === version)),
      );
      this.#isShared.set(text, known);
    }
    return known;
  }
}

/**
 * Reads a constraint as apko does. A library's version without a revision at the end of the text becomes an older one:
 * `so:x=1` means `0.1`, and so does `so:x=1-r0@edge`, because of the tag.
 */
function parseConstraint(text: string): Constraint {
  const [, before = '', after] = /^(so:[^=]*)=(.*)$/.exec(text) ?? [];
  const isOlder = after !== undefined && !/-r\d+$/.test(after);
  const read = isOlder ? `${before}=0.${after}` : text;
  const [, name = read, operator = '', version = '', tag] =
    /^([^@=><~]+)(?:([=><~]+)([^@]+))?(?:@([A-Za-z0-9]+))?/.exec(read) ?? [];
  return { text, name, operator: apkoOperators.includes(operator) ? operator : '', version, tag };
}

/** The packages chosen so far: by package name, and versions by origin. */
interface Existing {
  readonly packages: Map<string, Option>;
  readonly origins: Map<string, string>;
}

const nothing: Existing = { packages: new Map(), origins: new Map() };

class Resolver {
  readonly #build: Build;
  readonly #disqualified = new Set<string>();
  readonly #selected = new Map<string, Option>();
  /** Constraints examined since the last step. */
  #work = 0;

  constructor(build: Build) {
    this.#build = build;
  }

  /** The installed packages, by name. */
  *resolve(texts: readonly string[]): Generator<undefined, ReadonlyMap<string, Option>> {
    const constraints = [...new Set(texts)].sort().map(parseConstraint);
    const installed = new Map<string, Option>();
    this.#constrain(constraints);
    for (let open = [...constraints]; open.length > 0;) {
      if (this.#isStep(open.length)) yield;
      const next = fewest(open.map((each) => ({ constraint: each, options: this.#fitting(each, each.tag) })));
      const best = this.#best(next.options, next.constraint.name, next.constraint.tag, nothing);
      installed.set(best.name, best);
      open = open.filter(({ text }) => text !== next.constraint.text);
      this.#disqualifyConflicts(best);
    }
    for (const constraint of constraints) {
      const { name, tag } = constraint;
      const existing: Existing = { packages: new Map(installed), origins: new Map() };
      for (const each of installed.values()) noteOrigin(existing, each);
      const taken = this.#best(this.#fitting(constraint, tag), name, tag, nothing);
      for (const each of [...(yield* this.#need(taken, tag, new Set(), existing)), taken])
        if (!installed.has(each.name)) installed.set(each.name, each);
    }
    return installed;
  }

  #isStep(count: number): boolean {
    this.#work += count;
    if (this.#work < ITEMS_A_STEP) return false;
    this.#work = 0;
    return true;
  }

  /** What the package needs, deepest first. */
  *#need(
    owner: Option,
    tag: string | undefined,
    parents: ReadonlySet<string>,
    existing: Existing,
  ): Generator<undefined, readonly Option[]> {
    const { package: own } = owner;
    if (parents.has(owner.name) || this.#selected.size > MAX_PICKED) return [];
    const provided = new Set(own.provides.map(({ name }) => name));
    const wanted = [...own.dependencies].map(({ name, operator, version, conflict }) => ({
      conflict,
      constraint: parseConstraint(`${name}${operator}${version}`),
    }));
    for (const { conflict, constraint } of wanted)
      if (conflict)
        for (const each of this.#fitting(constraint, undefined, { mayBeNone: true }))
          this.#disqualified.add(each.key);
    let open = wanted.flatMap(({ conflict, constraint }) => (conflict ? [] : [constraint]));
    this.#constrain(open);
    const needed: Option[] = [];
    while (open.length > 0) {
      if (this.#isStep(open.length)) yield;
      const left = open
        .filter((constraint) => !provided.has(constraint.name) && !meetsItself(owner, constraint))
        .filter((constraint) => !this.#isSelected(constraint))
        .map((constraint) => ({
          constraint,
          options: this.#fitting(constraint, tag, { installed: existing.packages.get(constraint.name) }),
        }));
      if (left.length === 0) break;
      const next = fewest(left, true);
      const best = this.#best(next.options, next.constraint.name, undefined, existing);
      this.#disqualifyConflicts(best);
      this.#pick(owner);
      const below = yield* this.#need(best, tag, new Set([...parents, owner.name]), existing);
      needed.push(...below, best);
      for (const each of below) {
        existing.packages.set(each.name, each);
        noteOrigin(existing, each);
      }
      open = left.map(({ constraint }) => constraint).filter(({ text }) => text !== next.constraint.text);
    }
    return needed;
  }

  #isSelected({ name, operator, version, text }: Constraint): boolean {
    const picked = this.#selected.get(name);
    if (!picked) return false;
    if (version === '') return true;
    const equals = apkoFits('=', version);
    const hasVersion = picked.package.provides.some(
      (each) =>
        each.name === name &&
        each.version !== undefined &&
        equals?.(versionOfProvide(name, each.version).parsed) === true,
    );
    if (hasVersion || apkoFits(operator, version)?.(picked.version.parsed) === true) return true;
    throw new Unresolvable(`${textOf(picked)} is already chosen and conflicts with ${text}`);
  }

  #pick(option: Option): void {
    const { name } = option;
    const other = this.#selected.get(name);
    if (other?.key === option.key) return;
    if (other) throw new Unresolvable(`${textOf(option)} conflicts with ${textOf(other)}`);
    this.#selected.set(name, option);
    for (const each of option.package.provides) {
      const conflict = this.#selected.get(each.name);
      if (conflict) throw new Unresolvable(`${textOf(option)} conflicts with ${textOf(conflict)}`);
      if (each.version !== undefined) this.#selected.set(each.name, option);
    }
  }

  /** Disqualifies candidates that have one of the names at a version that does not fit. */
  #constrain(constraints: readonly Constraint[]): void {
    for (const constraint of constraints)
      for (const key of this.#build.misfits(constraint)) this.#disqualified.add(key);
  }

  /** A package of a tagged repository fits only a constraint with that tag, or if it is installed already. */
  #fitting(
    constraint: Constraint,
    tag: string | undefined,
    {
      installed,
      mayBeNone = false,
    }: { readonly installed?: Option | undefined; readonly mayBeNone?: boolean } = {},
  ): readonly Option[] {
    const { name, text } = constraint;
    if (!mayBeNone && this.#build.optionsOf(name).length === 0)
      throw new Unresolvable(`nothing provides ${name}`);
    const fitting = this.#build
      .meeting(constraint)
      .filter(
        (option) =>
          !this.#disqualified.has(option.key) &&
          (option.tag === undefined || option.tag === tag || option.key === installed?.key),
      );
    if (fitting.length === 0 && !mayBeNone) throw new Unresolvable(`no remaining candidate meets ${text}`);
    return fitting;
  }

  /** Disqualifies candidates that provide one of its provided names, unless both provide it without a version. */
  #disqualifyConflicts(option: Option): void {
    for (const { name, version } of option.package.provides) {
      for (const each of this.#build.optionsOf(name)) {
        if (each.key === option.key) continue;
        const isConflict =
          version !== undefined || each.name === name || each.package.provided(name)[0] !== undefined;
        if (isConflict) this.#disqualified.add(each.key);
      }
    }
  }

  #best(options: readonly Option[], name: string, tag: string | undefined, existing: Existing): Option {
    const [first, ...others] = options;
    let best = first as Option;
    for (const each of others) if (this.#compare(each, best, name, tag, existing) < 0) best = each;
    return best;
  }

  /** Negative if `a` is better. */
  #compare(
    a: Option,
    b: Option,
    name: string,
    tag: string | undefined,
    { packages, origins }: Existing,
  ): number {
    const isTaken = (option: Option): boolean =>
      packages.get(option.name)?.version.text === option.version.text;
    const isOfOrigin = ({ package: { origin }, version }: Option): boolean =>
      origin !== '' && origins.get(origin) === version.text;
    return (
      Number(isTaken(b)) - Number(isTaken(a)) ||
      Number(isOfOrigin(b)) - Number(isOfOrigin(a)) ||
      Number(b.tag === tag) - Number(a.tag === tag) ||
      compareVersions(versionFor(b, name), versionFor(a, name)) ||
      (a.name === b.name ? compareVersions(b.version, a.version) : 0) ||
      b.package.priority - a.package.priority ||
      compareVersions(b.version, a.version) ||
      (a.name < b.name ? -1 : Number(a.name > b.name))
    );
  }
}

interface Choice {
  readonly constraint: Constraint;
  readonly options: readonly Option[];
}

/** The choice with the fewest candidates; on a tie the first, or the first by text. */
function fewest(choices: readonly Choice[], byText = false): Choice {
  const [first, ...others] = choices;
  let found = first as Choice;
  for (const each of others) {
    const isLess = each.options.length < found.options.length;
    if (
      isLess ||
      (byText && each.options.length === found.options.length && each.constraint.text < found.constraint.text)
    )
      found = each;
  }
  return found;
}

function noteOrigin({ origins }: Existing, { package: { origin }, version }: Option): void {
  if (origin !== '') origins.set(origin, version.text);
}

function meetsItself(own: Option, { name, operator, version }: Constraint): boolean {
  return own.name === name && (operator === '' || apkoFits(operator, version)?.(own.version.parsed) === true);
}

function versionOf(text: string): Version {
  return { text, parsed: parseApkoVersion(text) };
}

/** Its own version, or those at which it provides the name. */
function versionsFor(option: Option, name: string): readonly (Version | undefined)[] {
  if (option.name === name) return [option.version];
  return option.package
    .provided(name)
    .map((each) => (each === undefined ? undefined : versionOfProvide(name, each)));
}

function versionFor(option: Option, name: string): Version | undefined {
  return versionsFor(option, name)[0];
}

function versionOfProvide(name: string, version: string): Version {
  const isOlder = version !== '' && name.startsWith('so:') && !/-r\d+$/.test(version);
  return versionOf(isOlder ? `0.${version}` : version);
}

/** A missing version is equal to all others. One that apko cannot read is older; of two, the second one is. */
function compareVersions(a: Version | undefined, b: Version | undefined): number {
  if (!a || !b || a.text === '' || b.text === '' || a.text === b.text) return 0;
  if (a.parsed && b.parsed) return compareApkoVersions(a.parsed, b.parsed);
  return b.parsed ? -1 : 1;
}

function textOf({ name, version }: Option): string {
  return `${name}-${version.text}`;
}
