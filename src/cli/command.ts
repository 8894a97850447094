/** What a command is: the entry of the table in `commands.ts`, from which help, completion and documents are made. */
import type { CommandLine, Environment } from '../config/config.ts';

/** A flag of one command. */
export interface Flag {
  readonly name: string;
  /** Its value as help shows it, such as `DIR`; absent for a flag without a value. */
  readonly placeholder?: string;
  readonly help: string;
  /** Whether the command cannot do without it. */
  readonly isRequired?: boolean;
}

export interface CommandContext {
  /** What follows the name of the command. */
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
  /** What the first argument may be, where it is one of a few words. */
  readonly choices?: readonly string[];
  readonly flags: readonly Flag[];
  /** Whether it reads the configuration, and with it the shared options. */
  readonly isConfigured: boolean;
  readonly examples: readonly string[];
  /** Returns the exit code. */
  readonly run: (context: CommandContext) => Promise<number> | number;
}
