/**
 * Whether apko resolves a package with all its dependencies, by apko's own algorithm (pkg/apk/apk/repo.go of 1.2.39),
 * which does not backtrack. It takes the constraint with the fewest candidates, and of these the best one. If a
 * dependency of that one is missing, it gives up, even if another candidate would do.
 */
import type { CatalogSource } from '../catalog/catalog.ts';
import type { Package } from '../apk/packages.ts';
import { apkoMeets, apkoOperators, compareApkoVersions, parseApkoVersion } from './apko.ts';

/** The sources of a build for several archs, by arch. */
export type SourcesByArch = ReadonlyMap<string, readonly CatalogSource[]>;

interface Constraint {
  readonly text: string;
  readonly name: string;
  readonly operator: string;
  readonly version: string;
}

interface Option {
  readonly package: Package;
  /** The same for the same row of the same index. */
  readonly key: string;
  readonly isTagged: boolean;
}

/** More packages than an image has. A build that needs more counts as resolvable. */
const MAX_PICKED = 4000;

export class Unresolvable extends Error {}

/** Why apko cannot resolve the constraints on `arch`; `undefined` if it can. */
export interface Build {
  readonly arch: string;
  readonly sources: SourcesByArch;
  /**
   * Whether a repository has the constraint's tag. The constraint prefers such repositories, its dependencies the
   * others.
   */
  readonly isTagged: (repository: string) => boolean;
}

export function apkoObstacle(constraints: readonly string[], build: Build): string | undefined {
  try {
    new Resolver(build).resolve(constraints.map(parseConstraint));
    return undefined;
  } catch (error) {
    if (error instanceof Unresolvable) return error.message;
    throw error;
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
  const [, name = read, operator = '', version = ''] = /^([^@=><~]+)(?:([=><~]+)([^@]+))?/.exec(read) ?? [];
  return { text, name, operator: apkoOperators.includes(operator) ? operator : '', version };
}

/** What apko installs, by name. Throws `Unresolvable` with the reason if that is nothing. */
export function apkoPackages(constraints: readonly string[], build: Build): readonly Package[] {
  const resolver = new Resolver(build);
  resolver.resolve(constraints.map(parseConstraint));
  return [...resolver.installed.values()].map((option) => option.package);
}

class Resolver {
  readonly #own: readonly CatalogSource[];
  readonly #others: readonly (readonly CatalogSource[])[];
  readonly #options = new Map<string, readonly Option[]>();
  readonly #disqualified = new Set<string>();
  readonly #isShared = new Map<string, boolean>();
  readonly #selected = new Map<string, Option>();
  /** The packages taken so far, by package name and by origin. */
  readonly #existing = new Map<string, Option>();
  readonly #origins = new Map<string, string>();
  /** By the name of the package. */
  readonly installed = new Map<string, Option>();

  readonly #isTagged: Build['isTagged'];

  constructor({ arch, sources, isTagged }: Build) {
    this.#isTagged = isTagged;
    // apko sorts its repositories; if two have the same package, the first one counts.
    this.#own = (sources.get(arch) ?? []).toSorted((a, b) => (a.repository < b.repository ? -1 : 1));
    this.#others = [...sources].filter(([name]) => name !== arch).map(([, each]) => each);
  }

  resolve(constraints: readonly Constraint[]): void {
    this.#constrain(constraints);
    for (let open = [...constraints]; open.length > 0;) {
      const next = fewest(open.map((each) => ({ constraint: each, options: this.#fitting(each) })));
      const best = this.#best(next.options, next.constraint.name, { isAsked: true });
      this.#existing.set(best.package.name, best);
      open = open.filter(({ text }) => text !== next.constraint.text);
      this.#disqualifyConflicts(best);
    }
    for (const constraint of constraints) {
      const taken = this.#best(this.#fitting(constraint), constraint.name, { isAsked: true });
      this.#need(taken, new Set());
    }
  }

  #need(owner: Option, parents: ReadonlySet<string>): void {
    const { package: own } = owner;
    if (parents.has(own.name)) return;
    if (this.#selected.size > MAX_PICKED) return;
    this.installed.set(own.name, owner);
    const provided = new Set(own.provides.map(({ name }) => name));
    const wanted = [...own.dependencies].map(({ name, operator, version, conflict }) => ({
      conflict,
      constraint: parseConstraint(`${name}${operator}${version}`),
    }));
    for (const { conflict, constraint } of wanted)
      if (conflict) for (const each of this.#fitting(constraint, true)) this.#disqualified.add(each.key);
    this.#constrain(wanted.flatMap(({ conflict, constraint }) => (conflict ? [] : [constraint])));
    let open = wanted.flatMap(({ conflict, constraint }) => (conflict ? [] : [constraint]));
    while (open.length > 0) {
      const left = open
        .filter((constraint) => !provided.has(constraint.name) && !meetsItself(own, constraint))
        .filter((constraint) => !this.#isSelected(constraint))
        .map((constraint) => ({ constraint, options: this.#fitting(constraint) }));
      if (left.length === 0) return;
      const next = fewest(left, true);
      const best = this.#best(next.options, next.constraint.name);
      this.#disqualifyConflicts(best);
      this.#pick(owner);
      this.#need(best, new Set([...parents, own.name]));
      this.#existing.set(best.package.name, best);
      if (best.package.origin !== '') this.#origins.set(best.package.origin, best.package.version);
      open = left.map(({ constraint }) => constraint).filter(({ text }) => text !== next.constraint.text);
    }
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
    throw new Unresolvable(`${own.name}-${own.version} is there already and does not go with ${text}`);
  }

  #pick(option: Option): void {
    const { name, provides } = option.package;
    const other = this.#selected.get(name);
    if (other?.key === option.key) return;
    if (other) throw new Unresolvable(`${textOf(option)} does not go with ${textOf(other)}`);
    this.#selected.set(name, option);
    for (const each of provides) {
      const conflict = this.#selected.get(each.name);
      if (conflict) throw new Unresolvable(`${textOf(option)} does not go with ${textOf(conflict)}`);
      if (each.version !== undefined) this.#selected.set(each.name, option);
    }
  }

  /** Disqualifies candidates that have one of the names at a version that does not fit. */
  #constrain(constraints: readonly Constraint[]): void {
    for (const { name, operator, version, text } of constraints) {
      if (operator === '') continue;
      const options = this.#optionsOf(name);
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

  #fitting(constraint: Constraint, mayBeNone = false): readonly Option[] {
    const { name, operator, version, text } = constraint;
    const options = this.#optionsOf(name);
    if (options.length === 0 && !mayBeNone) throw new Unresolvable(`nothing provides ${name}`);
    const meets = operator === '' ? () => true : apkoMeets(operator, version);
    const fitting = options.filter(({ package: own, key }) => {
      if (this.#disqualified.has(key) || !this.#isOnAllArchs(own) || !meets) return false;
      if (operator === '' || meets(own.version)) return true;
      // If a package has a readable version of its own, any of its provides will do, whatever the name.
      return (
        parseApkoVersion(own.version) !== undefined &&
        own.provides.some(
          (each) => each.version !== undefined && meets(versionOfProvide(each.name, each.version)),
        )
      );
    });
    if (fitting.length === 0 && !mayBeNone) throw new Unresolvable(`nothing that is left meets ${text}`);
    return fitting;
  }

  #optionsOf(name: string): readonly Option[] {
    let known = this.#options.get(name);
    if (!known) {
      known = this.#own.flatMap(({ packages, repository }, i) => {
        const isTagged = this.#isTagged(repository);
        const rows = new Map(
          [...packages.named(name), ...packages.providing(name)].map((each) => [each.row, each]),
        );
        return [...rows.values()]
          .filter(({ unusable }) => !unusable)
          .map((each) => ({ package: each, key: `${i} ${each.row}`, isTagged }));
      });
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

  /** Disqualifies candidates that provide one of its provided names, unless both provide it without a version. */
  #disqualifyConflicts(option: Option): void {
    for (const { name, version } of option.package.provides) {
      for (const each of this.#optionsOf(name)) {
        if (each.key === option.key) continue;
        const isConflict =
          version !== undefined || each.package.name === name || each.package.provided(name)[0] !== undefined;
        if (isConflict) this.#disqualified.add(each.key);
      }
    }
  }

  #best(options: readonly Option[], name: string, { isAsked = false } = {}): Option {
    const [first, ...others] = options;
    let best = first as Option;
    for (const each of others) if (this.#compare(each, best, name, isAsked) < 0) best = each;
    return best;
  }

  /** Negative if `a` is better. */
  #compare(a: Option, b: Option, name: string, isAsked: boolean): number {
    const [left, right] = [a.package, b.package];
    if (!isAsked) {
      const isTaken = ({ name: own, version }: Package): boolean =>
        this.#existing.get(own)?.package.version === version;
      const isOfOrigin = ({ origin, version }: Package): boolean =>
        origin !== '' && this.#origins.get(origin) === version;
      const order =
        Number(isTaken(right)) - Number(isTaken(left)) ||
        Number(isOfOrigin(right)) - Number(isOfOrigin(left));
      if (order !== 0) return order;
    }
    return (
      (isAsked ? 1 : -1) * (Number(b.isTagged) - Number(a.isTagged)) ||
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

/** Missing and invalid versions are equal to all others. */
function compareTexts(a: string, b: string): number {
  if (a === '' || b === '' || a === b) return 0;
  const [left, right] = [parseApkoVersion(a), parseApkoVersion(b)];
  return left && right ? compareApkoVersions(left, right) : 0;
}

function textOf({ package: each }: Option): string {
  return `${each.name}-${each.version}`;
}
