/**
 * Realistic random indexes, and a second, simple and slow implementation of the rules in docs/decisions/004. It shares
 * only the comparison of versions with `src/catalog/`.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NameReport } from '../../src/catalog/catalog.ts';
import { compareVersions, parseVersion } from '../../src/apk/version.ts';
import { catalogOf } from '../support/catalogs.ts';
import {
  arch,
  packageNames,
  provided,
  SEED,
  type Repositories,
  optionPairs,
} from '../support/random-indexes.ts';

interface Options {
  readonly unversionedProvides: boolean;
  readonly complete: boolean;
}

interface Has {
  readonly name: string;
  readonly version: string | undefined;
}

interface Entry {
  readonly name: string;
  readonly version: string;
  readonly priority: number;
  readonly time: number;
  readonly repository: number;
  /** Its own name first. */
  readonly names: readonly Has[];
  readonly needs: readonly Need[];
  readonly installIf: readonly Need[];
  /** A name twice, at least once with a version. */
  readonly isDouble: boolean;
  readonly text: string;
}

interface Need {
  readonly name: string;
  readonly operator: string;
  readonly version: string;
  readonly excludes: boolean;
}

const order = (a: string, b: string): number => {
  const [left, right] = [parseVersion(a), parseVersion(b)];
  return left && right ? compareVersions(left, right) : 0;
};
const same = (a: string | undefined, b: string): boolean => a !== undefined && order(a, b) === 0;
const words = (text: string | undefined): readonly string[] => (text ?? '').split(' ').filter(Boolean);

function readNeed(token: string): Need {
  const [, not = '', name = '', operator = '', version = ''] =
    /^(!?)([^<>=~]*)([<>=~]*)(.*)$/.exec(token) ?? [];
  return { name, operator, version, excludes: not !== '' };
}

function read(repositories: Repositories): readonly Entry[] {
  return repositories.flatMap((stanzas, repository) =>
    stanzas.map(({ P = '', V = '', p, D, i, k = '0', t = '0' }) => {
      const provides = words(p).map((token): Has => {
        const [name = '', version] = token.split('=');
        return { name, version };
      });
      const names = [{ name: P, version: V }, ...provides];
      const twice = names.filter(({ name }) => names.filter((each) => each.name === name).length > 1);
      return {
        name: P,
        version: V,
        priority: Number(k),
        time: Number(t),
        repository,
        names,
        needs: words(D).map(readNeed),
        installIf: words(i).map(readNeed),
        isDouble: twice.some(({ version }) => version !== undefined),
        text: JSON.stringify([words(D), words(p)]),
      };
    }),
  );
}

/** One arch of a datasource. */
class Plain {
  readonly #all: readonly Entry[];
  readonly #apko: boolean;
  readonly #standing: Set<Entry>;

  constructor(repositories: Repositories, { unversionedProvides, complete }: Options) {
    this.#all = read(repositories);
    this.#apko = unversionedProvides;
    this.#standing = new Set(this.#all);
    if (!complete) return;
    for (let before = -1; before !== this.#standing.size;) {
      before = this.#standing.size;
      for (const each of this.#standing)
        if (!each.needs.every((need) => need.excludes || this.#isMet(need, each)))
          this.#standing.delete(each);
    }
  }

  /** The versions at which a package has the name. */
  #versionsOf(each: Entry, name: string): readonly (string | undefined)[] {
    const all = each.names.filter((has) => has.name === name).map(({ version }) => version);
    if (!this.#apko) return all;
    if (each.name === name) return [each.version];
    const told = all.filter((version) => version !== undefined);
    return told.length > 0 || all.length === 0 ? told : [each.version];
  }

  /** The package that apk takes for `name=version`, whether or not it can be installed. */
  taken(name: string, version: string): Entry | undefined {
    const rivals = this.#all.filter((each) => {
      const all = this.#versionsOf(each, name);
      return all.length > 0 && all.every((has) => same(has, version));
    });
    const best = [...Map.groupBy(rivals, (each) => each.name).values()].map((builds) =>
      builds.reduce((a, b) => (isFirst(a, b, this.#apko) ? a : b)),
    );
    return best.toSorted(
      (a, b) =>
        b.priority - a.priority ||
        (this.#apko ? order(b.version, a.version) : a.repository - b.repository) ||
        (a.name < b.name ? -1 : 1),
    )[0];
  }

  isRefused(each: Entry, name: string): boolean {
    return this.#apko ? new Set(this.#versionsOf(each, name)).size > 1 : each.isDouble;
  }

  isInstallable(each: Entry): boolean {
    return this.#standing.has(each) && this.#isTogether(each);
  }

  /** Whether the name has a usable version here. */
  carries(name: string): boolean {
    return this.#all.some(
      (each) => !this.isRefused(each, name) && this.#versionsOf(each, name).some((has) => has !== undefined),
    );
  }

  versions(name: string): readonly string[] {
    return this.#all.flatMap((each) => this.#versionsOf(each, name).filter((has) => has !== undefined));
  }

  /** In a complete datasource: whether an installable package meets the need. */
  #isMet(need: Need, owner: Entry): boolean {
    if (this.#meetsItself(owner, need)) return true;
    if (need.operator === '=') {
      const taken = this.taken(need.name, need.version);
      return taken !== undefined && this.#standing.has(taken) && (this.#apko || !taken.isDouble);
    }
    return [...this.#standing].some((each) => {
      const fitting = this.#versionsOf(each, need.name).filter((has) => fits(has, need, this.#apko));
      if (fitting.length === 0 || (!this.#apko && each.isDouble)) return false;
      const isNeeded = this.#all.some((other) =>
        other.needs.some(({ name, excludes }) => !excludes && name === each.name),
      );
      return this.#apko || fitting.some((has) => has !== undefined) || each.priority > 0 || isNeeded;
    });
  }

  #meetsItself(each: Entry, need: Need): boolean {
    const [own, ...provides] = each.names;
    return (
      (own?.name === need.name && fits(own.version, need, this.#apko)) ||
      provides.some(
        ({ name, version }) => name === need.name && (this.#apko || fits(version, need, this.#apko)),
      )
    );
  }

  /** Whether all exact dependencies of the package can be installed together. */
  #isTogether(root: Entry): boolean {
    const together = [root];
    const heldAt = (name: string): readonly string[] =>
      together.flatMap((each) => this.#versionsOf(each, name).filter((has) => has !== undefined));
    for (let i = 0; i < together.length; i += 1) {
      const owner = together[i] as Entry;
      for (const need of owner.needs) {
        if (need.operator !== '=' || need.excludes || this.#meetsItself(owner, need)) continue;
        const held = heldAt(need.name);
        if (held.some((version) => same(version, need.version))) continue;
        if (held.length > 0) return false;
        const taken = this.taken(need.name, need.version);
        if (!taken || (!this.#apko && taken.isDouble)) return false;
        if (together.some((other) => areAtOdds(other, taken))) return false;
        together.push(taken);
      }
    }
    const isExcluded = together.some((owner) =>
      owner.needs.some(
        (need) =>
          need.excludes &&
          together.some(
            (other) =>
              other !== owner &&
              other.names.some((has) => has.name === need.name && fits(has.version, need, this.#apko)),
          ),
      ),
    );
    const isThere = (need: Need): boolean =>
      !need.excludes &&
      together.some(({ names }) =>
        names.some((has) => has.name === need.name && fits(has.version, need, this.#apko)),
      );
    const intruders = this.#all.filter(({ isDouble, installIf }) => isDouble && installIf.length > 0);
    const isIntruded = !this.#apko && intruders.some(({ installIf }) => installIf.every(isThere));
    // Packages that need nothing exactly are not examined, unless something may come along.
    const isExamined =
      root.needs.some(({ operator, excludes }) => operator === '=' && !excludes) || intruders.length > 0;
    const isOutOfRange = together.some((owner) =>
      owner.needs.some((need) => {
        if (need.excludes || ['', '='].includes(need.operator) || this.#meetsItself(owner, need))
          return false;
        const held = together.flatMap((each) => this.#versionsOf(each, need.name));
        return heldAt(need.name).length > 0 && !held.some((has) => fits(has, need, this.#apko));
      }),
    );
    return !isExcluded && !(isExamined && isOutOfRange) && !isIntruded;
  }
}

/**
 * Of two packages of one name: the higher version, then what decides among names, then what is refused, then the later.
 */
function isFirst(a: Entry, b: Entry, apko: boolean): boolean {
  const by =
    order(a.version, b.version) ||
    a.priority - b.priority ||
    b.repository - a.repository ||
    (apko ? 0 : Number(a.isDouble) - Number(b.isDouble)) ||
    a.time - b.time;
  return by === 0 ? a.text >= b.text : by > 0;
}

/** Whether both have a name, at least one of them with a version. */
function areAtOdds(a: Entry, b: Entry): boolean {
  return a.names.some((left) =>
    b.names.some((right) => left.name === right.name && (left.version ?? right.version) !== undefined),
  );
}

function fits(has: string | undefined, { operator, version }: Need, apko: boolean): boolean {
  if (operator === '') return true;
  if (has === undefined) return !apko && operator.includes('<');
  if (operator === '~')
    return has === version || has.startsWith(`${version}.`) || has.startsWith(`${version}-`);
  const sign = order(has, version);
  return (
    (operator.includes('=') && sign === 0) ||
    (operator.includes('>') && sign > 0) ||
    (operator.includes('<') && sign < 0)
  );
}

/** The pinnable versions of each name, and the package installed on each arch. */
function expected(
  archs: Readonly<Record<string, Repositories>>,
  name: string,
  options: Options,
): readonly string[] {
  const plain = Object.values(archs).map((repositories) => new Plain(repositories, options));
  const carrying = plain.filter((each) => each.carries(name));
  const all = [...new Set(plain.flatMap((each) => each.versions(name)))].toSorted(order);
  return all.flatMap((at) => {
    const taken = carrying.map((each) => {
      const found = each.taken(name, at);
      const isOffered = found && !each.isRefused(found, name) && each.isInstallable(found);
      return isOffered ? found : undefined;
    });
    if (carrying.length === 0 || taken.includes(undefined)) return [];
    return [
      `${at}: ${taken.map((each) => `${each?.name}-${each?.version} of repo${each?.repository}`).join()}`,
    ];
  });
}

function found({ versions }: NameReport): readonly string[] {
  return versions
    .filter(({ offered }) => offered)
    .map(({ version: at, chosenOn }) => {
      const chosen = chosenOn.map(
        ({ package: each, repository }) => `${each.name}-${each.version} of ${repository}`,
      );
      return `${at}: ${chosen.join()}`;
    });
}

describe.each(optionPairs)('with %j', (options) => {
  test('offers versions and chooses packages by the rules', () => {
    const seen = { offered: 0, withheld: 0 };
    fc.assert(
      fc.property(arch, fc.option(arch), (first, second) => {
        const archs = { x86_64: first, ...(second && { aarch64: second }) };
        const catalog = catalogOf(archs, options);
        for (const name of new Set([...packageNames, ...provided])) {
          const rule = expected(archs, name, options);
          const report = catalog.report(name);
          seen.offered += rule.length;
          seen.withheld += report.versions.length - rule.length;
          expect(found(report), name).toEqual(rule);
        }
      }),
      { numRuns: 300, seed: SEED },
    );
    // Enough versions of both kinds, so that the test means something.
    expect(seen.offered).toBeGreaterThan(300);
    expect(seen.withheld).toBeGreaterThan(300);
  });
});
