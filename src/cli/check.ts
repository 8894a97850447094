/** `check`: whether images will build, and which pins are outdated. Loads the indexes, or asks a running service. */
import { accessSync, constants, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { styleText } from 'node:util';
import { baselineText, parseBaseline } from '../check/baseline.ts';
import { unifiedDiff } from '../check/diff.ts';
import { readFiles } from '../check/files.ts';
import { countPins, findingsOf, type CheckedFile } from '../check/findings.ts';
import { ownJudgments, pinNames, raisePins, type Fixed } from '../check/fix.ts';
import { steps, type Judgment, type Policy, type Step } from '../check/judgment.ts';
import { formats, isFormat, textReport, type Report } from '../check/reports.ts';
import { compareLevels, type Level } from '../check/rules.ts';
import type { Config } from '../config/config.ts';
import type { CommandLine } from '../config/options.ts';
import { parseDuration } from '../config/schema.ts';
import { counted, errorLines, IndexError, printable, UsageError } from '../errors.ts';
import { writeAtomically } from '../repository/atomic-file.ts';
import { UNCHECKED } from './command.ts';
import { judgeFiles } from './judge-files.ts';

export interface CheckOptions {
  readonly own: CommandLine['own'];
  readonly config: () => Config;
  /** Repositories were named on the command line or in the environment. */
  readonly isPlain: boolean;
  /** `pin`: names become exact pins. */
  readonly pinsNames: boolean;
  /** The folder that paths are relative to. */
  readonly root: string;
  readonly signal: AbortSignal;
}

/** Flags of the report, which is not made if files are changed. */
const REPORTING = ['format', 'output', 'fail-on', 'all', 'baseline', 'write-baseline'];
/** There are findings at or above `--fail-on`. */
const FAILED = 1;

interface Flags {
  readonly format: string | undefined;
  readonly output: string | undefined;
  readonly all: boolean;
  readonly failOn: Level | undefined;
  readonly baseline: string | undefined;
  readonly writesBaseline: boolean;
  readonly policy: Policy;
  readonly isChanging: boolean;
  readonly isDiff: boolean;
  readonly url: string | undefined;
}

/** Throws `UsageError` for flags that are invalid or useless together. */
function parseFlags({ own, pinsNames }: CheckOptions): Flags {
  const text = (name: string): string | undefined => (typeof own[name] === 'string' ? own[name] : undefined);
  const isChanging = pinsNames || own['fix'] === true || own['diff'] === true;
  const useless = isChanging ? REPORTING.find((name) => own[name] !== undefined) : undefined;
  if (useless !== undefined)
    throw new UsageError(`--${useless} is for the report, but --fix and --diff make none`);
  const format = text('format');
  if (format !== undefined && format !== 'text' && !isFormat(format))
    throw new UsageError(`--format: expected text, ${Object.keys(formats).join(', ')}, got ${format}`);
  const failOn = failLevel(text('fail-on') ?? 'error');
  const policy = {
    ...policyOf(text('within') ?? 'major', text('min-age') ?? '0s'),
    security: own['security'] === true,
  };
  const baseline = text('baseline');
  const writesBaseline = own['write-baseline'] === true;
  if (writesBaseline && baseline === undefined)
    throw new UsageError('--write-baseline needs --baseline FILE');
  return {
    ...{ format, output: text('output'), all: own['all'] === true, failOn, baseline, writesBaseline },
    ...{ policy, isChanging, isDiff: own['diff'] === true, url: text('url') },
  };
}

export async function checkCommand(words: readonly string[], options: CheckOptions): Promise<number> {
  const { config, isPlain, pinsNames, root, signal } = options;
  const { isChanging, isDiff, baseline, writesBaseline, policy, url, ...reporting } = parseFlags(options);
  const known = baseline === undefined || writesBaseline ? undefined : readBaseline(resolve(root, baseline));
  const files = readFiles(words, root);
  if (words.length > 0 && files.length === 0)
    process.stderr.write(`no packages found in ${printable(words.join(', '))}\n`);
  let judgments: readonly (readonly Judgment[])[];
  const done = progress(`${counted(files.length, 'file')}, loading the indexes`);
  try {
    const [asksAll, now] = [isPlain, Date.now()];
    judgments = await judgeFiles(files, { url, config: config(), asksAll, policy, now, signal });
  } catch (error) {
    if (!(error instanceof IndexError) || error.code === 'config-invalid') throw error;
    throw new IndexError(error.code, 'nothing was checked', { cause: error });
  } finally {
    done();
  }
  if (isChanging) {
    const code = await changeFiles(files, judgments, pinsNames ? pinNames : raisePins, { root, isDiff });
    const own = files.flatMap((file, i) => ownJudgments(file, judgments[i] ?? []));
    const notAsked = own.filter((each) => each.notAsked !== undefined).length;
    if (notAsked > 0)
      process.stderr.write(`${counted(notAsked, 'package')} not looked up; check --all says why\n`);
    return code;
  }
  const all = files.flatMap((file, i) => findingsOf(file, judgments[i] ?? []));
  if (writesBaseline && baseline !== undefined) {
    const kept = all.filter(({ level }) => level !== 'note');
    writeFileSync(resolve(root, baseline), baselineText(kept));
    process.stdout.write(`wrote ${counted(kept.length, 'finding')} to ${printable(baseline)}\n`);
    return 0;
  }
  const findings = all.filter(({ fingerprint }) => !known?.has(fingerprint));
  write({ ...countPins(files), findings, known: all.length - findings.length }, reporting, root);
  const { failOn } = reporting;
  return failOn !== undefined && findings.some(({ level }) => compareLevels(level, failOn) <= 0) ? FAILED : 0;
}

function write(
  report: Report,
  { format, output, all }: Pick<Flags, 'format' | 'output' | 'all'>,
  root: string,
): void {
  const own = format !== undefined && isFormat(format) ? formats[format](report) : undefined;
  if (output !== undefined)
    writeFileSync(resolve(root, output), own ?? textReport(report, { all, colour: (_, text) => text }));
  else if (own !== undefined) {
    process.stdout.write(own);
    return;
  }
  // With --output, the terminal shows the report as text.
  const colour: Parameters<typeof textReport>[1]['colour'] = (name, text) =>
    styleText(name, text, { stream: process.stdout });
  process.stdout.write(textReport(report, { all, colour }));
}

async function changeFiles(
  files: readonly CheckedFile[],
  judgments: readonly (readonly Judgment[])[],
  change: (file: CheckedFile, judgments: readonly Judgment[]) => Fixed,
  { root, isDiff }: { root: string; isDiff: boolean },
): Promise<number> {
  let count = 0;
  let hasFailed = false;
  for (const [i, file] of files.entries()) {
    const { text, changes, unchanged = [], unchangedBecause } = change(file, judgments[i] ?? []);
    for (const { pin, because } of unchanged)
      process.stderr.write(
        `${printable(file.path)}: ${printable(pin)} left unchanged: ${printable(because)}\n`,
      );
    if (unchangedBecause !== undefined)
      process.stderr.write(`${printable(file.path)}: left unchanged: ${unchangedBecause}\n`);
    for (const note of file.found.notes)
      if (note.reason === 'unreadable')
        process.stderr.write(`${printable(file.path)}: left unchanged: ${printable(note.message)}\n`);
    if (text === file.text) continue;
    if (isDiff) {
      process.stdout.write(Buffer.from(unifiedDiff(file.path, file.text, text), file.encoding));
      continue;
    }
    try {
      await replaceText(join(root, file.path), file, text);
    } catch (error) {
      process.stderr.write(`${printable(file.path)}: left unchanged: ${errorLines(error)}\n`);
      hasFailed = true;
      continue;
    }
    count += changes.length;
    for (const { pin, to } of changes)
      process.stdout.write(`${printable(file.path)}: ${printable(pin)} -> ${to}\n`);
  }
  if (!isDiff)
    process.stdout.write(count === 0 ? 'nothing to change\n' : `changed ${counted(count, 'pin')}\n`);
  return hasFailed ? UNCHECKED : 0;
}

/** Throws if the file has another text than the one that was checked, unless it is already the new one. */
async function replaceText(path: string, { text: old, encoding }: CheckedFile, text: string): Promise<void> {
  const present = readFileSync(path, encoding);
  if (present === text) return;
  if (present !== old) throw new Error('it was changed in the meantime');
  // A link stays one.
  const target = realpathSync(path);
  accessSync(target, constants.W_OK);
  await writeAtomically(target, [Buffer.from(text, encoding)], statSync(target));
}

/** Shows a line on a terminal until the returned function is called. */
function progress(text: string): () => void {
  const { stderr } = process;
  if (!stderr.isTTY) return () => undefined;
  stderr.write(text);
  return () => stderr.write('\r\u001b[K');
}

function failLevel(word: string): Level | undefined {
  if (word === 'never') return undefined;
  if (word === 'error' || word === 'warning' || word === 'note') return word;
  throw new UsageError(`--fail-on: expected error, warning, note or never, got ${word}`);
}

function policyOf(within: string, minAge: string): Policy {
  if (!(steps as readonly string[]).includes(within))
    throw new UsageError(`--within: expected ${steps.join(', ')}, got ${within}`);
  const age = parseDuration(minAge);
  if (age === undefined) throw new UsageError(`--min-age: expected a time such as 7d, got ${minAge}`);
  return { within: within as Step, minAge: age };
}

function readBaseline(path: string): ReadonlySet<string> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UsageError(`--baseline: cannot read ${path}; --write-baseline makes it`, { cause });
  }
  return parseBaseline(text, path);
}
