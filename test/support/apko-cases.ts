/** Generated repositories and images to ask apko and `check` about: includes, tags, provides, skewed archs. */
import type { Random } from './random.ts';
import { pkg, type Stanza } from './signed-index.ts';

export const archs = ['x86_64', 'aarch64'] as const;

export interface World {
  /** By repository, then by arch. */
  readonly repositories: Readonly<Record<string, Readonly<Record<string, readonly Stanza[]>>>>;
}

export interface ApkoCase {
  /** As an image definition has it. */
  readonly pins: readonly string[];
  /** What the included file asks for. */
  readonly base: readonly string[];
  /** The image is for one arch only. */
  readonly archs: readonly string[];
  /** Repositories that the image lists itself; the included file lists `main`. */
  readonly added: readonly ('extra' | '@edge')[];
}

const names = ['a', 'b', 'c', 'd', 'e', 'f'];
const virtuals = ['v', 'w', 'so:x.so.1'];
const versions = [
  '1.0-r0',
  '1.0-r1',
  '1.1-r0',
  '1.1.2-r0',
  '1.2_rc1-r0',
  '1.10-r0',
  '2.0-r0',
  '2.0.1_p2-r1',
  '3-r0',
];
const operators = ['=', '=', '=', '=', '~', '=~', '>=', '<=', '>', '<', '~=', '==', ''];

/** Packages of three repositories; every fifth version is on one arch only. */
export function world(random: Random): World {
  const repository = (share: number): Record<string, Stanza[]> => {
    const packages: Record<string, Stanza[]> = { x86_64: [], aarch64: [] };
    for (const name of names) {
      for (const version of versions) {
        if (random.integer(100) >= share) continue;
        const fields = fieldsOf(random, name);
        const on = random.integer(5) === 0 ? [random.pick(archs)] : archs;
        for (const arch of on) packages[arch]?.push(pkg(name, version, { ...fields, A: arch }));
      }
    }
    return packages;
  };
  return { repositories: { main: repository(50), extra: repository(25), edge: repository(25) } };
}

function fieldsOf(random: Random, own: string): Stanza {
  const provides: string[] = [];
  if (random.integer(4) === 0) {
    const name = random.pick(virtuals);
    provides.push(
      random.pick([name, `${name}=${random.pick(versions)}`, `${name}=${random.pick(['1', '2', '3'])}`]),
    );
  }
  const depends: string[] = [];
  // Upwards in the alphabet, so that nothing needs itself.
  const others = names.slice(names.indexOf(own) + 1);
  if (others.length > 0 && random.integer(3) === 0) {
    const other = random.pick([...others, 'nowhere']);
    depends.push(
      random.pick([
        other,
        `${other}=${random.pick(versions)}`,
        `${other}>=${random.pick(['1', '2'])}`,
        `${other}~1`,
      ]),
    );
  }
  if (random.integer(10) === 0)
    depends.push(`!${random.pick([...names, ...virtuals])}${random.pick(['', '<2', '=1.0-r0'])}`);
  return {
    ...(provides.length > 0 && { p: provides.join(' ') }),
    ...(random.integer(3) === 0 && { o: random.pick(['left', 'right']) }),
    ...(depends.length > 0 && { D: depends.join(' ') }),
  };
}

interface ApkoPin {
  readonly text: string;
  readonly hasTag: boolean;
}

/** A package that an image asks for, with all that may be wrong with it. */
function apkoPin(random: Random): ApkoPin {
  const operator = random.pick(operators);
  const name = random.pick([...names, ...names, ...virtuals, 'unknown']);
  const version = random.pick([
    ...versions,
    ...versions,
    '1',
    '1.0',
    '1.01-r0',
    '2',
    '9.9-r9',
    '1.0~ab-r0',
    '1.x',
  ]);
  const hasTag = random.integer(6) === 0;
  const bare = operator === '' ? name : `${name}${operator}${version}`;
  const tagged =
    random.integer(4) === 0 && operator !== '' ? `${name}@edge${operator}${version}` : `${bare}@edge`;
  return { text: hasTag ? tagged : bare, hasTag };
}

/** One that often resolves: among several, a pin that never does would hide how the others go together. */
function mildPin(random: Random): ApkoPin {
  const name = random.pick([...names, ...names, ...virtuals]);
  const bound = random.pick(['', '', '', '>=1', '~1', '<3', `=${random.pick(versions)}`]);
  const hasTag = random.integer(12) === 0;
  return { text: `${name}${bound}${hasTag ? '@edge' : ''}`, hasTag };
}

export function apkoCase(random: Random): ApkoCase {
  const count = random.pick([1, 1, 2, 3, 4, 5]);
  const made = Array.from({ length: count }, () => (count === 1 ? apkoPin(random) : mildPin(random)));
  const hasTag = made.some((each) => each.hasTag);
  const pins = made.map(({ text }) => text);
  const added = [
    ...(random.integer(2) === 0 ? (['extra'] as const) : []),
    ...(hasTag || random.integer(4) === 0 ? (['@edge'] as const) : []),
  ];
  return {
    pins,
    base: random.integer(3) === 0 ? [mildPin(random).text.replace('@edge', '')] : [],
    archs: random.integer(3) === 0 ? [random.pick(archs)] : archs,
    added,
  };
}

/** The image and the file it includes. Repositories are at `base`. */
export function imageFiles(
  { pins, base: inherited, archs: own, added }: ApkoCase,
  base: string,
): { readonly image: string; readonly included: string } {
  const lines = added.map((each) =>
    each === '@edge' ? `    - "@edge ${base}/edge"\n` : `    - ${base}/${each}\n`,
  );
  const repositories = lines.length === 0 ? '' : `  repositories:\n${lines.join('')}`;
  return {
    image: `include: base.yaml\ncontents:\n${repositories}${packagesOf(pins)}`,
    included: `contents:\n  keyring: [${base}/key.rsa.pub]\n  repositories:\n    - ${base}/main\n${packagesOf(inherited)}archs: [${own.join(', ')}]\n`,
  };
}

function packagesOf(pins: readonly string[]): string {
  return pins.length === 0 ? '' : `  packages:\n${pins.map((pin) => `    - "${pin}"\n`).join('')}`;
}
