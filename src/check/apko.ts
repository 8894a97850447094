/**
 * Versions and constraints as apko reads them (pkg/apk/apk/version.go and repo.go of 1.2.39). Differences from apk: a
 * number with a leading zero is still a number; a missing `-rN` is `-r0`; at most one suffix before and one after the
 * release; no hash; unknown operators are ignored.
 */

export interface ApkoVersion {
  readonly numbers: readonly number[];
  /** Letter, pre-release suffix and its number, post-release suffix and its number, revision. */
  readonly rest: readonly number[];
}

const VERSION =
  /^(\d+(?:\.\d+)*)([a-z]?)(?:_(alpha|beta|pre|rc)(\d*))?(?:_(cvs|svn|git|hg|p)(\d*))?(?:-r(\d+))?$/;
const BEFORE = ['alpha', 'beta', 'pre', 'rc'];
const BEHIND = ['cvs', 'svn', 'git', 'hg', 'p'];
/** A release ranks above all pre-releases. */
const RELEASE = 1000;

export function parseApkoVersion(text: string): ApkoVersion | undefined {
  const match = VERSION.exec(text);
  if (!match) return undefined;
  const [, numbers = '', letter = '', before, beforeNumber, behind, behindNumber, revision] = match;
  return {
    numbers: numbers.split('.').map(Number),
    rest: [
      letter === '' ? 0 : letter.charCodeAt(0),
      before === undefined ? RELEASE : BEFORE.indexOf(before) + 1,
      Number(beforeNumber ?? 0),
      behind === undefined ? 0 : BEHIND.indexOf(behind) + 1,
      Number(behindNumber ?? 0),
      Number(revision ?? 0),
    ],
  };
}

export function compareApkoVersions(a: ApkoVersion, b: ApkoVersion): number {
  return compareLists(a.numbers, b.numbers) || compareLists(a.rest, b.rest);
}

function compareLists(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) {
    const order = (a[i] as number) - (b[i] as number);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** `~`: the numbers begin with those of the line; other parts count only if the line has them. */
function isInLine(version: ApkoVersion, line: ApkoVersion): boolean {
  if (!line.numbers.every((each, i) => version.numbers[i] === each)) return false;
  if (version.numbers.length > line.numbers.length) return true;
  return line.rest.every(
    (each, i) => each === 0 || (i === 1 && each === RELEASE) || version.rest[i] === each,
  );
}

/** The operators that apko knows; any other one asks for any version. */
export const apkoOperators: readonly string[] = ['=', '>', '<', '>=', '<=', '~', '=~'];

/** A test of versions; `undefined` if the constraint's version is invalid in apko. */
export function apkoMeets(operator: string, bound: string): ((version: string) => boolean) | undefined {
  const fits = apkoFits(operator, bound);
  return fits && ((text) => fits(parseApkoVersion(text)));
}

/** The same for versions that are parsed already. */
export function apkoFits(
  operator: string,
  bound: string,
): ((version: ApkoVersion | undefined) => boolean) | undefined {
  if (!apkoOperators.includes(operator)) return () => true;
  const wanted = parseApkoVersion(bound);
  if (!wanted) return undefined;
  return (version) => {
    if (!version) return false;
    if (operator.includes('~')) return isInLine(version, wanted);
    const order = compareApkoVersions(version, wanted);
    return order === 0 ? operator.includes('=') : operator.includes(order < 0 ? '<' : '>');
  };
}
