/**
 * Whether apko resolves a package with all its dependencies, by apko's own algorithm (pkg/apk/apk/repo.go of 1.2.39),
 * which does not backtrack. It takes the constraint with the fewest candidates, and of these the best one. If a
 * dependency of that one is missing, it gives up, even if another candidate would do.
 */
import type { CatalogSource } from '../catalog/catalog.ts';
import type { Package, Packages } from '../apk/packages.ts';
import { ITEMS_A_STEP } from '../catalog/steps.ts';
import { apkoMeets, apkoOperators, compareApkoVersions, parseApkoVersion } from './apko.ts';

/** The sources of a build for several archs, by arch. */
export type SourcesByArch = ReadonlyMap<string, readonly CatalogSource[]>;

interface Constraint {
  readonly text: string;
  readonly name: string;
  readonly operator: string;
  readonly version: string;
  readonly tag: string | undefined;
}

interface Option {
  readonly package: Package;
  /** The same for the same row of the same index. */
  readonly key: string;
  /** The tag that the image gives its repository. */
  readonly tag: string | undefined;
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
    return this.#options.size + this.#meeting.size;
  }

  /** What meets a constraint, on every arch. */
  meeting({ name, operator, version, text }: Constraint): readonly Option[] {
    let known = this.#meeting.get(text);
    if (!known) {
      const meets = operator === '' ? () => true : apkoMeets(operator, version);
      known = this.optionsOf(name).filter(({ package: own }) => {
        if (!meets || !this.#isOnAllArchs(own)) return false;
        if (operator === '' || meets(own.version)) return true;
        // If a package has a readable version of its own, any of its provides will do, whatever the name.
        return (
          parseApkoVersion(own.version) !== undefined &&
          own.provides.some(
            (each) => each.version !== undefined && meets(versionOfProvide(each.name, each.version)),
          )
        );
      });
      this.#meeting.set(text, known);
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
            .map((each) => ({ package: each, key: `${i} ${each.row}`, tag }));
        });
      const providing = options((packages) =>
        packages.providing(name).flatMap((each) => each.provided(name).map(() => each)),
      );
      const byPackage = Map.groupBy(providing, ({ package: own }) => own.name);
      known = [...options((packages) => packages.named(name)), ...[...byPackage.values()].flat()];
      this.#options.set(name, known);
    }
    return known;
  }

  #isOnAllArchs({ name, version }: Package): boolean {
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
      installed.set(best.package.name, best);
      open = open.filter(({ text }) => text !== next.constraint.text);
      this.#disqualifyConflicts(best);
    }
    for (const constraint of constraints) {
      const { name, tag } = constraint;
      const existing: Existing = { packages: new Map(installed), origins: new Map() };
      for (const { package: own } of installed.values())
        if (own.origin !== '') existing.origins.set(own.origin, own.version);
      const taken = this.#best(this.#fitting(constraint, tag), name, tag, nothing);
      for (const each of [...(yield* this.#need(taken, tag, new Set(), existing)), taken])
        if (!installed.has(each.package.name)) installed.set(each.package.name, each);
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
    if (parents.has(own.name) || this.#selected.size > MAX_PICKED) return [];
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
        .filter((constraint) => !provided.has(constraint.name) && !meetsItself(own, constraint))
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
      const below = yield* this.#need(best, tag, new Set([...parents, own.name]), existing);
      needed.push(...below, best);
      for (const each of below) {
        existing.packages.set(each.package.name, each);
        if (each.package.origin !== '') existing.origins.set(each.package.origin, each.package.version);
      }
      open = left.map(({ constraint }) => constraint).filter(({ text }) => text !== next.constraint.text);
    }
    return needed;
  }

  #isSelected({ name, operator, version, text }: Constraint): boolean {
    const picked = this.#selected.get(name);
    if (!picked) return false;
    if (version === '') return true;
    const meets = apkoMeets(operator, version) ?? (() => false);
    const { package: own } = picked;
    if (
      own.provides.some(
        (each) =>
          each.name === name &&
          each.version !== undefined &&
          apkoMeets('=', version)?.(versionOfProvide(name, each.version)) === true,
      )
    )
      return true;
    if (meets(own.version)) return true;
    throw new Unresolvable(`${own.name}-${own.version} is already chosen and conflicts with ${text}`);
  }

  #pick(option: Option): void {
    const { name, provides } = option.package;
    const other = this.#selected.get(name);
    if (other?.key === option.key) return;
    if (other) throw new Unresolvable(`${textOf(option)} conflicts with ${textOf(other)}`);
    this.#selected.set(name, option);
    for (const each of provides) {
      const conflict = this.#selected.get(each.name);
      if (conflict) throw new Unresolvable(`${textOf(option)} conflicts with ${textOf(conflict)}`);
      if (each.version !== undefined) this.#selected.set(each.name, option);
    }
  }

  /** Disqualifies candidates that have one of the names at a version that does not fit. */
  #constrain(constraints: readonly Constraint[]): void {
    for (const { name, operator, version, text } of constraints) {
      if (operator === '') continue;
      const options = this.#build.optionsOf(name);
      if (options.length === 0) continue;
      const meets = apkoMeets(operator, version);
      if (!meets) throw new Unresolvable(`${text} has no version`);
      for (const { package: own, key } of options) {
        const fits =
          own.name === name
            ? meets(own.version)
            : own.provided(name).every((each) => each === undefined || meets(versionOfProvide(name, each)));
        if (!fits) this.#disqualified.add(key);
      }
    }
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
          version !== undefined || each.package.name === name || each.package.provided(name)[0] !== undefined;
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
    const [left, right] = [a.package, b.package];
    const isTaken = ({ name: own, version }: Package): boolean =>
      packages.get(own)?.package.version === version;
    const isOfOrigin = ({ origin, version }: Package): boolean =>
      origin !== '' && origins.get(origin) === version;
    return (
      Number(isTaken(right)) - Number(isTaken(left)) ||
      Number(isOfOrigin(right)) - Number(isOfOrigin(left)) ||
      Number(b.tag === tag) - Number(a.tag === tag) ||
      compareTexts(versionFor(right, name), versionFor(left, name)) ||
      (left.name === right.name ? compareTexts(right.version, left.version) : 0) ||
      right.priority - left.priority ||
      compareTexts(right.version, left.version) ||
      (left.name < right.name ? -1 : Number(left.name > right.name))
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

function meetsItself(own: Package, { name, operator, version }: Constraint): boolean {
  return own.name === name && (operator === '' || apkoMeets(operator, version)?.(own.version) === true);
}

function versionFor(own: Package, name: string): string {
  return own.name === name ? own.version : versionOfProvide(name, own.provided(name)[0] ?? '');
}

function versionOfProvide(name: string, version: string): string {
  return version !== '' && name.startsWith('so:') && !/-r\d+$/.test(version) ? `0.${version}` : version;
}

/** A missing version is equal to all others. One that apko cannot read is older; of two, the second one is. */
function compareTexts(a: string, b: string): number {
  if (a === '' || b === '' || a === b) return 0;
  const [left, right] = [parseApkoVersion(a), parseApkoVersion(b)];
  if (left && right) return compareApkoVersions(left, right);
  return right ? -1 : 1;
}

function textOf({ package: each }: Option): string {
  return `${each.name}-${each.version}`;
}
