/** What is read out of a file: which packages it asks for, where that stands, and what tells where they come from. */
import type { ContextParameters } from '../routing/pin-context.ts';
import type { Range } from './text.ts';

/** Whose rules the constraint is read by. apko's are its own; see `check/apko.ts`. */
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
  /** apk has the tag in front of the operator, apko behind the version. */
  readonly tagIsBehind: boolean;
  readonly tool: Tool;
  /** Where it is asked for; for `$PACKAGE` that is the variable. */
  readonly range: Range;
  /** Where the version stands, which may be the default of a variable; absent where it is put together. */
  readonly versionRange: Range | undefined;
  /** The variables that hold it, or a part of it; absent for none. */
  readonly variables?: readonly string[];
  /** Those of its version. */
  readonly versionVariables?: readonly string[];
  /** The packages that are installed with it have the same one: the place of a list or of a command. */
  readonly world: number;
  /** The line of a package's recipe that lists what it needs at run time: no build fails over it. */
  readonly isRuntime: boolean;
  /** A lock file has it: nothing to raise by hand. */
  readonly isLocked: boolean;
  /** Which datasource it is asked of follows from these, as in a lookup of Renovate's. */
  readonly context: ContextParameters;
}

export type Kind =
  'apko' | 'apko-lock' | 'melange' | 'hardened-image' | 'dockerfile' | 'script' | 'gitlab-ci' | 'compose';

/** What a file could not be read for. */
export interface Note {
  readonly reason: 'unreadable' | 'unknown-variable' | 'missing-include' | 'other-distribution';
  readonly message: string;
  readonly range: Range;
}

export interface FilePins {
  readonly kind: Kind;
  readonly pins: readonly Pin[];
  readonly notes: readonly Note[];
  /** Repeats the version of a pin elsewhere in the file, so that it is raised with it. */
  readonly repeats?: readonly Repeat[];
  /** Packages of included files, which are installed with the file's own. Their place is where the file is included. */
  readonly included?: readonly Pin[];
  /** Places of the variables that `apk add` gets. */
  readonly uses?: readonly number[];
  /** Names of the packages that the recipe builds. */
  readonly builds?: readonly string[];
}

export interface Repeat {
  /** Of the pin whose version is repeated, by its place in `pins`. */
  readonly pin: number;
  readonly range: Range;
  readonly hasRevision: boolean;
}

/** What a constraint without a version of its own looks like to a reader: name, operator, version, tags. */
export interface Spelled {
  readonly name: string;
  readonly operator: string;
  readonly version: string;
  readonly tag: string | undefined;
  readonly tagIsBehind: boolean;
  /** Where the version starts in the text. */
  readonly versionAt: number;
}

const SPELLED = /^([^\s@=<>~!][^\s@=<>~]*)(?:@([^\s@=<>~]+))?(?:([=<>~]+)([^ \t\r\n@]*))?(?:@([^\s@]+))?$/;
/** Longer ones are no packages. */
const MAX_LENGTH = 512;
const NAME = /^[A-Za-z0-9._/+:,[\]-]+$/;

/** Reads `name`, `name@tag=1.0`, `name=1.0@tag`, `name~=1`. `undefined` for what is no package: `!name`, `./x.apk`. */
export function parsePin(text: string): Spelled | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const [, name = '', before, operator = '', version = '', behind] = SPELLED.exec(text) ?? [];
  if (!NAME.test(name) || /^[.-]/.test(name) || /\.apk$/.test(text)) return undefined;
  const prefix = name.length + (before === undefined ? 0 : before.length + 1) + operator.length;
  return {
    name,
    operator,
    version,
    tag: behind ?? before,
    tagIsBehind: behind !== undefined,
    versionAt: prefix,
  };
}
