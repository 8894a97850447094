/**
 * The instructions of a Dockerfile, and the packages that its RUN lines add.
 *
 * https://docs.docker.com/reference/dockerfile/: the `escape` directive, comments and empty lines between continued ones,
 * here-documents, ARG and ENV with their scopes, the JSON form.
 */
import { withoutTokens } from '../routing/dockerfile.ts';
import { excerptOf } from '../routing/excerpt.ts';
import { packagesAdded } from './apk-add.ts';
import { Delimiters } from './here-documents.ts';
import type { FilePins, Note, Pin } from './pin.ts';
import {
  assignmentOf,
  shellCommands,
  UNKNOWN,
  type Budget,
  type Command,
  type ShellOptions,
} from './shell.ts';
import { mappedText, slice, type Text } from './text.ts';

interface Instruction {
  /** In upper case. */
  readonly keyword: string;
  /** What follows the keyword, to the end of the instruction with its here-documents. */
  readonly rest: Text;
  /** The whole instruction without here-documents. */
  readonly line: string;
}

/** The variables of a stage: ENV overrides ARG. */
interface Stage {
  readonly variables: Map<string, Text>;
  readonly environment: Map<string, Text>;
}

/** The most characters of a value, because variables may contain each other. */
const MAX_VALUE = 10_000;

export function dockerfilePins(file: Text, budget: Budget = { expanded: 0 }): FilePins {
  const escape = escapeOf(file.value);
  const excerpt = excerptOf(file.value);
  const pins: Pin[] = [];
  const notes: Note[] = [];
  const uses: number[] = [];
  /** ARG before the first stage: visible to FROM, and to a stage that declares the name. */
  const global = new Map<string, Text>();
  /** By name. A stage inherits the variables of the one it builds on, ARG as well as ENV. */
  const stages = new Map<string, Stage>();
  let stage: Stage = { variables: global, environment: new Map() };
  let from = '';
  const variable = (name: string): Text | undefined =>
    stage.environment.get(name) ?? stage.variables.get(name);
  const shell = { dockerEscape: escape, variable, budget };
  for (const instruction of instructions(file, escape)) {
    const { rest } = instruction;
    const nested = instruction.keyword === 'ONBUILD' ? /^\s*([A-Za-z]+)(?=\s)/.exec(rest.value) : null;
    const keyword = nested?.[1]?.toUpperCase() ?? instruction.keyword;
    const body = nested ? slice(rest, nested[0].length, rest.value.length) : rest;
    if (keyword === 'FROM') {
      from = withoutTokens(instruction.line);
      const [, image = '', alias] = /^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/i.exec(from) ?? [];
      const parent = stages.get(image.toLowerCase());
      stage = { variables: new Map(parent?.variables), environment: new Map(parent?.environment) };
      if (alias !== undefined) stages.set(alias.toLowerCase(), stage);
    } else if (keyword === 'ARG' || keyword === 'ENV') {
      const scope = keyword === 'ENV' ? stage.environment : stage.variables;
      for (const [name, value] of settings(body, keyword, shell)) {
        const known = value ?? (keyword === 'ARG' ? global.get(name) : undefined);
        if (known) scope.set(name, known);
        else scope.delete(name);
      }
    } else if (keyword === 'RUN') {
      const added = packagesAdded(runCommands(body, shell), { kind: 'dockerfile', from, file: excerpt });
      pins.push(...added.pins);
      notes.push(...added.notes);
      uses.push(...added.uses);
    }
  }
  return { kind: 'dockerfile', pins, notes, uses };
}

/** The escape directive is a comment at the top of the file, among other directives. */
function escapeOf(file: string): string {
  for (const line of file.split('\n')) {
    const directive = /^\s*#\s*([A-Za-z]+)\s*=\s*(\S+)\s*$/.exec(line);
    if (!directive) return '\\';
    if (directive[1]?.toLowerCase() === 'escape') return directive[2] === '`' ? '`' : '\\';
  }
  return '\\';
}

function* instructions(file: Text, escape: string): Generator<Instruction> {
  const { value } = file;
  const delimiters = new Delimiters(value);
  const continued = escape === '`' ? /`[ \t]*\r?$/ : /\\[ \t]*\r?$/;
  for (let at = 0; at < value.length;) {
    let end = endOfLine(value, at);
    const first = value.slice(at, end);
    if (/^\s*(?:#[^\n]*)?$/.test(first)) {
      at = end + 1;
      continue;
    }
    const start = at;
    for (let line = first, isComment = false; isComment || continued.test(line);) {
      if (end >= value.length) break;
      const next = end + 1;
      end = endOfLine(value, next);
      line = value.slice(next, end);
      // Comments and empty lines do not end an instruction, nor do the lines of a template engine.
      isComment = /^\s*(?:(?:#|\{[%#])[^\n]*)?$/.test(line) && next < value.length;
    }
    const line = value.slice(start, end);
    const head = /^\s*([A-Za-z]+)(?=\s|$)/.exec(line);
    const keyword = head?.[1]?.toUpperCase() ?? '';
    if (/^(?:RUN|COPY|ADD|ONBUILD)$/.test(keyword)) end = endOfHereDocuments(value, delimiters, line, end);
    if (keyword !== '')
      yield {
        keyword,
        rest: slice(file, start + (head?.[0].length ?? 0), Math.min(end, value.length)),
        line,
      };
    at = end + 1;
  }
}

function endOfLine(text: string, start: number): number {
  const end = text.indexOf('\n', start);
  return end < 0 ? text.length : end;
}

/** The end of the here-documents that a line begins; a delimiter that does not follow begins none. */
function endOfHereDocuments(file: string, delimiters: Delimiters, line: string, end: number): number {
  for (const [, dash, , delimiter = ''] of line.matchAll(HERE_DOCUMENT)) {
    const found = delimiters.after(end + 1, { delimiter, stripsTabs: dash === '-' });
    if (found) end = endOfLine(file, found.start);
  }
  return end;
}

const HERE_DOCUMENT = /(?:^|[\s;&|(\d])<<(-?)(["']?)([A-Za-z_][\w.-]*)\2(?=$|[\s;&|)>])/g;

/** `ARG A=1 B`, `ENV A=1 B=2`, `ENV A 1`; an unknown value is `undefined`. */
function settings(
  body: Text,
  keyword: 'ARG' | 'ENV',
  shell: ShellOptions,
): readonly (readonly [string, Text | undefined])[] {
  const commands = shellCommands(body, { ...shell, isDeclaration: true });
  const [name, ...more] = keyword === 'ENV' && !commands[0]?.assignments[0] ? (commands[0]?.words ?? []) : [];
  if (name && more.length > 0 && /^[A-Za-z_]\w*$/.test(name.value)) {
    // The old form takes the rest of the line and removes quotes.
    const rest = /^\s*\w+\s+([^\s"'$\\`][^"'$\\`\n]*?)\s*$/d.exec(body.value)?.indices?.[1];
    return [[name.value, more.length === 1 ? known(more[0] as Text) : rest && slice(body, ...rest)]];
  }
  const all = commands.flatMap(({ assignments, words }) => [
    ...assignments,
    ...words.map((word) => assignmentOf(word) ?? { name: word.value, value: undefined }),
  ]);
  return all.map(({ name, value }) => [name, value && known(value)] as const);
}

function known(value: Text): Text | undefined {
  return value.value.includes(UNKNOWN) || value.value.length > MAX_VALUE ? undefined : value;
}

function runCommands(body: Text, shell: ShellOptions): readonly Command[] {
  const flags = /^(?:\s|[\\`][ \t]*\r?\n|--[a-z]+(?:=\S*)?(?=\s))*/.exec(body.value)?.[0].length ?? 0;
  const script = slice(body, flags, body.value.length);
  const words = script.value.startsWith('[') ? jsonWords(script) : undefined;
  return words ? commandOf(words, shell.budget) : shellCommands(script, shell);
}

/** A command whose words are given, as in `["sh", "-c", "apk add curl"]`. */
export function commandOf(words: readonly Text[], budget: Budget | undefined): readonly Command[] {
  const option = words.findIndex(({ value }) => /^-[a-z]*c$/.test(value));
  const script = option < 0 ? undefined : words[option + 1];
  return [{ words, assignments: [] }, ...(script ? shellCommands(script, { budget }) : [])];
}

/** The JSON form; `undefined` for other text, which is passed to a shell. */
function jsonWords(text: Text): readonly Text[] | undefined {
  const joined = text.value.replace(/[\\`][ \t]*\r?\n/g, (all) => ' '.repeat(all.length)).trimEnd();
  try {
    const parsed: unknown = JSON.parse(joined);
    if (!Array.isArray(parsed) || !parsed.every((each) => typeof each === 'string')) return undefined;
  } catch {
    return undefined;
  }
  return [...joined.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((match) => {
    const offsets: number[] = [];
    let value = '';
    for (const { 0: spelled, index } of (match[1] ?? '').matchAll(/\\u[0-9a-fA-F]{4}|\\.|[^\\]/gsu)) {
      const decoded = spelled.startsWith('\\') ? (JSON.parse(`"${spelled}"`) as string) : spelled;
      const start = match.index + 1 + index;
      for (let i = 0; i < decoded.length; i += 1)
        offsets.push(text.at(start + (spelled === decoded ? i : 0)));
      value += decoded;
    }
    return mappedText(value, offsets);
  });
}
