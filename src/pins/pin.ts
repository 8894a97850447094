/** The contents of a file: the requested packages, their positions, and the context that shows their repositories. */
import type { ContextParameters } from '../routing/pin-context.ts';
import type { Range } from './text.ts';

/** The tool whose rules apply to the constraint; for apko's see `check/apko.ts`. */
export type Tool = 'apk' | 'apko';

/** A package that a file asks for, with or without a version. */
export interface Pin {
  /** As the tool gets it: `curl=8.14.1-r2`, `git@edge`. */
  readonly text: string;
  readonly name: string;
  /** `=`, `~`, `>=`, …; empty for a package of any version. */
  readonly operator: string;
  /** Empty without an operator. */
  readonly version: string;
  readonly tag: string | undefined;
  /** apk has the tag before the operator, apko after the version. */
  readonly tagIsBehind: boolean;
  readonly tool: Tool;
  /** The position of the pin; for `$PACKAGE` that of the variable. */
  readonly range: Range;
  /**
   * The position of the version, possibly in the default of a variable; absent if it is composed of several parts.
   */
  readonly versionRange: Range | undefined;
  /** The variables that contain it or a part of it; absent if there are none. */
  readonly variables?: readonly string[];
  /** The variables of its version. */
  readonly versionVariables?: readonly string[];
  /** Equal for pins that are installed together: the position of their list or command. */
  readonly world: number;
  /** A runtime dependency in a recipe: it does not affect the build. */
  readonly isRuntime: boolean;
  /** The pin is in a lock file, which is not edited by hand. */
  readonly isLocked: boolean;
  /** The parameters that choose its datasource, as in a lookup by Renovate. */
  readonly context: ContextParameters;
  /** The included file that has it. */
  readonly includedFrom?: string;
}

export type Kind =
  'apko' | 'apko-lock' | 'melange' | 'hardened-image' | 'dockerfile' | 'script' | 'gitlab-ci' | 'compose';

/** A part of a file that could not be read. */
export interface Note {
  readonly reason: 'unreadable' | 'unknown-variable' | 'missing-include' | 'other-distribution';
  readonly message: string;
  readonly range: Range;
  /** Unless that of its rule. */
  readonly level?: 'warning';
}

export interface FilePins {
  readonly kind: Kind;
  readonly pins: readonly Pin[];
  readonly notes: readonly Note[];
  /** Repeats the version of a pin elsewhere in the file, so that it is raised with it. */
  readonly repeats?: readonly Repeat[];
  /**
   * Packages of included files, which are installed together with the file's own. Their position is that of the
   * include.
   */
  readonly included?: readonly Pin[];
  /** Positions of variables in the arguments of `apk add`. */
  readonly uses?: readonly number[];
  /** Names of the packages that the recipe builds. */
  readonly builds?: readonly string[];
}

export interface Repeat {
  /** The pin whose version is repeated, as an index into `pins`. */
  readonly pin: number;
  readonly range: Range;
  readonly hasRevision: boolean;
}

/** The parts of a constraint: name, operator, version, tag. */
export interface Spelled extends Pick<Pin, 'name' | 'operator' | 'version' | 'tag' | 'tagIsBehind'> {
  /** Offset of the version in the text. */
  readonly versionAt: number;
}

const SPELLED = /^([^\s@=<>~!][^\s@=<>~]*)(?:@([^\s@=<>~]+))?(?:([=<>~]+)([^ \t\r\n@]*))?(?:@([^\s@]+))?$/;
/** Longer texts are not packages. */
const MAX_LENGTH = 512;
const NAME = /^[A-Za-z0-9._/+:,[\]-]+$/;

/**
 * Parses `name`, `name@tag=1.0`, `name=1.0@tag`, `name~=1`. `undefined` for anything but a package: `!name`,
 * `./x.apk`.
 */
export function parsePin(text: string): Spelled | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const [, name = '', before, operator = '', version = '', behind] = SPELLED.exec(text) ?? [];
  if (!NAME.test(name) || /^[.-]/.test(name) || /\.apk$/.test(text)) return undefined;
  const versionAt = name.length + (before === undefined ? 0 : before.length + 1) + operator.length;
  return { name, operator, version, tag: behind ?? before, tagIsBehind: behind !== undefined, versionAt };
}

/** Whether the pin asks for exactly one version. apko does not know `==`. */
export function isExactPin({ operator, tool }: Pick<Pin, 'operator' | 'tool'>): boolean {
  return tool === 'apko' ? operator === '=' : /^=+$/.test(operator);
}

/**
 * Text that is not a constraint, such as `!name` and `=`, which apko reads as a name. `undefined` for `$NAME`, which
 * another program replaces.
 */
export function asName(text: string): Spelled | undefined {
  if (text.length > MAX_LENGTH || text.includes('$')) return undefined;
  const empty = { operator: '', version: '', tag: undefined, tagIsBehind: false };
  return { name: text, ...empty, versionAt: text.length };
}
