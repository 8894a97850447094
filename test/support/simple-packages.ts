/**
 * A simple APKINDEX reader: it splits lines, makes objects and keeps them in maps. Too slow and too large for the
 * service, but easy to verify. The fast scanner must give the same answers.
 */
import { createHash } from 'node:crypto';
import { operatorSpan } from '../../src/apk/constraint.ts';
import { parseDependency, parseProvide, tokens } from '../../src/apk/package-table.ts';
import {
  isExact,
  type RefusedAutoInstall,
  type Package,
  type Packages,
  type Provide,
  type Unusable,
} from '../../src/apk/packages.ts';
import { parseVersion } from '../../src/apk/version.ts';

/** With the format `adb`, the text is made of an ADB, in which apk takes dependencies as they are. */
export function simplePackages(text: string, arch: string, format: 'v2' | 'adb' = 'v2'): Packages {
  /** A name with a tag, or an operator without a version. */
  const isMalformed = (token: string): boolean => format === 'v2' && /^[^<>=~]*(@|[<>=~]+$)/.test(token);
  const packages: Package[] = [];
  const autoInstalls: RefusedAutoInstall[] = [];
  const identities = new Set<string>();
  for (const stanza of stanzas(text)) {
    const field = (letter: string): string => stanza.findLast(([key]) => key === letter)?.[1] ?? '';
    const list = (letter: string): readonly string[] =>
      stanza.filter(([key]) => key === letter).flatMap(([, value]) => tokens(value));
    const provided = stanza.flatMap(([key, value]) => {
      if (key !== 'p') return [];
      const malformed = tokens(value).findIndex(isMalformed);
      const read = malformed < 0 ? tokens(value) : tokens(value).slice(0, malformed);
      const texts = read.map((token) => token.replace(/^!/, ''));
      return texts.filter((token) => token !== '');
    });
    const provides = provided.map(parseProvide);
    const bad = stanza.some(([key]) => key === '') || field('P') === '' || field('V') === '';
    const more = [field('A'), priority(field('k')), provided, list('D')];
    const isAgain = field('C') === '' && identities.has(identity(stanza));
    const own = identity(stanza, isAgain ? more : []);
    if (bad || identities.has(own)) continue;
    identities.add(own);
    packages.push({
      row: packages.length,
      name: field('P'),
      version: field('V'),
      builtAt:
        /^\d{1,10}$/.test(field('t')) && Number(field('t')) < 2 ** 32
          ? Number(field('t')) || undefined
          : undefined,
      origin: field('o'),
      commit: field('c'),
      url: field('U'),
      provides,
      provided(name) {
        return this.provides.filter((each) => each.name === name).map(({ version }) => version);
      },
      dependencies: list('D').map(parseDependency),
      bindingDependencies: list('D')
        .map(parseDependency)
        .filter((each) => isExact(each) || each.conflict),
      needsExactly: list('D').map(parseDependency).some(isExact),
      identity: own,
      priority: priority(field('k')),
      conflictsWithItself: hasNameTwice(field('P'), provides),
      unusable: unusable(stanza, field('A'), arch, format),
    });
    const added = packages.at(-1);
    if (added?.conflictsWithItself && !added.unusable && list('i').length > 0)
      autoInstalls.push({
        row: added.row,
        package: `${added.name}-${added.version}`,
        installIf: list('i').map(parseDependency),
      });
  }
  return lookUps(packages, autoInstalls);
}

/** `packages` with gaps between the rows where some are hidden. */
function lookUps(
  packages: readonly Package[],
  autoInstalls: readonly RefusedAutoInstall[],
  rowCount = packages.length,
): Packages {
  const byName = Map.groupBy(packages, ({ name }) => name);
  const byProvide = new Map<string, Package[]>();
  for (const each of packages) {
    for (const name of new Set(each.provides.map((provide) => provide.name))) {
      if (operatorSpan(name).start === 0) continue;
      byProvide.set(name, [...(byProvide.get(name) ?? []), each]);
    }
  }
  const buildTimes = new Uint32Array(rowCount);
  for (const { row, builtAt = 0 } of packages) buildTimes[row] = builtAt;
  return {
    rowCount,
    packageCount: packages.length,
    nameCount: byName.size,
    names: () => byName.keys(),
    providedNames: () => byProvide.keys(),
    has: (name) => byName.has(name) || byProvide.has(name),
    countOf: (name) => (byName.get(name)?.length ?? 0) + (byProvide.get(name)?.length ?? 0),
    named: (name) => byName.get(name) ?? [],
    at: (row) => packages.find((each) => each.row === row) as Package,
    providing: (name) => byProvide.get(name) ?? [],
    *neededNames() {
      const needed = packages.flatMap(({ dependencies }) =>
        [...dependencies].flatMap(({ name, conflict }) => (!conflict && byName.has(name) ? name : [])),
      );
      return new Set(needed);
    },
    autoInstalls,
    buildTimes,
    without(hidden) {
      const isShown = ({ row }: { readonly row: number }): boolean => !hidden.has(row);
      return lookUps(packages.filter(isShown), autoInstalls.filter(isShown), rowCount);
    },
  };
}

type Field = readonly [key: string, value: string];

/** Runs of lines between separators; a line that is no `K:value` has an empty key. */
function* stanzas(text: string): Generator<readonly Field[]> {
  let stanza: Field[] = [];
  for (const raw of `${text.replace(/^\uFEFF/, '')}\n\n`.split('\n')) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (line.length < 2) {
      if (stanza.length > 0) yield stanza;
      stanza = [];
    } else stanza.push(line[1] === ':' ? [line.charAt(0), line.slice(2)] : ['', line]);
  }
}

function unusable(
  stanza: readonly Field[],
  own: string,
  arch: string,
  format: 'v2' | 'adb',
): Unusable | undefined {
  if (!['', 'noarch', arch].includes(own)) return 'foreign-arch';
  const lists = stanza.flatMap(([key, value]) => (key === 'D' && value !== '' ? value : []));
  const isBroken = lists[0]?.startsWith(' ') || lists.flatMap(tokens).some(isBrokenDependency);
  if (format === 'v2' && isBroken) return 'broken-dependency';
  const unknown = stanza.some(([key]) => !/^[a-zCPVASITULDFMRZ]$/.test(key));
  return unknown ? 'unknown-field' : undefined;
}

function isBrokenDependency(token: string): boolean {
  const { name, operator, version } = parseDependency(token);
  if (name.includes('@') || (operator !== '' && version === '')) return true;
  return operator !== '' && !/<.*>|>.*</.test(operator) && parseVersion(version) === undefined;
}

function hasNameTwice(own: string, provides: readonly Provide[]): boolean {
  const names = Map.groupBy([{ name: own, version: '' }, ...provides], ({ name }) => name);
  return names
    .values()
    .some(
      (same) => same.length > 1 && same.some(({ name, version }) => name !== '' && version !== undefined),
    );
}

function identity(stanza: readonly Field[], more: readonly unknown[] = []): string {
  const field = (letter: string): string => stanza.findLast(([key]) => key === letter)?.[1] ?? '';
  const sha1 = (text: string): string => `Q1${createHash('sha1').update(text).digest('base64')}`;
  const builtAt = /^\d{1,10}$/.test(field('t')) && Number(field('t')) < 2 ** 32 ? Number(field('t')) : 0;
  if (field('C') === '') return sha1(JSON.stringify([field('P'), field('V'), builtAt, ...more]));
  const isBase64 = /^Q(1[A-Za-z0-9+/]{27}=|2[A-Za-z0-9+/]{43}=)/.test(field('C'));
  const isHex = /^X(1[0-9a-f]{40}|2[0-9a-f]{64})/i.test(field('C'));
  if (!isBase64 && !isHex) return sha1(field('C'));
  const digest = Buffer.from(field('C').slice(2), isHex ? 'hex' : 'base64');
  return `Q1${digest.toString('base64', 0, 20)}`;
}

/** The digits it begins with, as a number of 16 bits. */
function priority(text: string): number {
  return Number(BigInt.asUintN(16, BigInt(/^\d*/.exec(text)?.[0] ?? '')));
}
