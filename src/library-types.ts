/** Types of `apk-beacon/check`. Stands alone: the build publishes it as it is. */

export interface CheckOptions {
  /** The folder that paths are relative to; the working directory unless given. */
  readonly root?: string;
  /** Files, folders and patterns; all of `root` unless given. */
  readonly paths?: readonly string[];
  /** A configuration file, or its content if that has more than one line. */
  readonly config?: string;
  /** Repositories to judge by instead of a configuration: URLs or folders. */
  readonly repositories?: readonly string[];
  /** Public keys to trust for them: files or URLs. */
  readonly keys?: readonly string[];
  readonly archs?: readonly string[];
  /** Of a running service, which is asked instead of loading indexes. */
  readonly url?: string;
  /** How far a target may be: `major` unless given. */
  readonly within?: 'rebuild' | 'patch' | 'minor' | 'major';
  /** Milliseconds since a target was released: first seen, or built where no ledger is kept. */
  readonly minAge?: number;
  /** Targets only where they fix known vulnerabilities: the lowest version that fixes most, whatever its age. */
  readonly security?: boolean;
  /** For credentials, proxies and settings; empty unless given, so pass those of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
}

export interface CheckPosition {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
}

export interface CheckFinding {
  readonly rule: string;
  readonly level: 'error' | 'warning' | 'note';
  readonly file: string;
  readonly start: CheckPosition;
  /** After the last character. */
  readonly end: CheckPosition;
  readonly message: string;
  /** As the tool gets it: `curl=8.14.1-r2`. */
  readonly pin?: string;
  readonly name?: string;
  readonly datasource?: string;
  readonly archs?: readonly string[];
  /** The day on which the needed version was withdrawn, if a ledger knows it: `2026-11-20`. */
  readonly since?: string;
  readonly newest?: string;
  readonly step?: 'rebuild' | 'patch' | 'minor' | 'major';
  readonly target?: string;
  readonly fingerprint: string;
}

export interface CheckReport {
  /** Files in which packages were found. */
  readonly files: number;
  readonly pins: number;
  readonly findings: readonly CheckFinding[];
}
