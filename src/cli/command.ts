/** An entry of the table in `commands.ts`. Help, completion, docs and the man page are generated from it. */
import type { Environment } from '../config/config.ts';
import type { CommandLine } from '../config/options.ts';

/** The exit code if `check` or `pin` fails: an index is unavailable, or a file cannot be written. 1 means findings. */
export const UNCHECKED = 3;

/** A flag of one command. */
export interface Flag {
  readonly name: string;
  /** Placeholder of the value in help texts, such as `DIR`; absent for a flag without a value. */
  readonly placeholder?: string;
  readonly help: string;
  readonly isRequired?: boolean;
}

export interface CommandContext {
  /** The arguments after the name of the command. */
  readonly words: readonly string[];
  readonly line: CommandLine;
  readonly environment: Environment;
  readonly signal: AbortSignal;
}

export interface Command {
  readonly name: string;
  /** One line, lower case, no full stop. */
  readonly summary: string;
  /** More for `apk-beacon COMMAND --help`, in sentences. */
  readonly details?: string;
  /** The arguments, such as `NAME[=PIN]`; absent for a command without arguments. */
  readonly operands?: string;
  /** The possible first arguments, if there are only a few. */
  readonly choices?: readonly string[];
  readonly flags: readonly Flag[];
  /** Whether it reads the configuration and takes the shared options. */
  readonly isConfigured: boolean;
  readonly examples: readonly string[];
  /** The exit code if it fails; 1 by default. */
  readonly failureCode?: number;
  /** Returns the exit code. */
  readonly run: (context: CommandContext) => Promise<number> | number;
}
