/**
 * The parts of a Dockerfile that show what its pins build on. They come from an excerpt, because a lookup has no more:
 * ARG lines before the first FROM, FROM lines, and after each the changes of the stage to its repositories. `excerptOf`
 * makes the excerpt of a whole Dockerfile.
 *
 *     ARG BASE=alpine:3.22
 *     FROM ${BASE} AS base '@edge https://dl-cdn.alpinelinux.org/alpine/edge/main
 *     FROM base
 */
import { parseRepositoryLine, type RepositoryLine } from './repositories.ts';

/** What a stage or a script changes in the repositories of its image. */
export interface Changes {
  /** Added to those of the image, after the last edit. */
  readonly repositories: readonly RepositoryLine[];
  /** The list of repositories is overwritten. */
  readonly isReplaced: boolean;
  /** The branch of the repositories is edited, so they are unknown. */
  readonly isEdited: boolean;
}

export interface Stage extends Changes {
  /** The FROM line, with single blanks. */
  readonly from: string;
  readonly image: string;
  /** In lower case: Docker ignores case. */
  readonly name: string | undefined;
}

export interface Dockerfile {
  /** Defaults of the ARG lines before the first FROM. */
  readonly args: ReadonlyMap<string, string>;
  readonly stages: readonly Stage[];
  /**
   * Lines that only look like FROM, such as `from os import path`, and the stages with them; -1 is before all stages.
   */
  readonly aliases: ReadonlyMap<string, readonly number[]>;
}

const FROM = /^FROM\s+((?:--\S+\s+)*)(\S+)(?:\s+AS\s+([A-Za-z0-9._-]+))?(?=\s|$)(.*)$/i;
const ARG = /^ARG\s+(.*)$/i;
/** `NAME=value`, `NAME="value"`, `NAME='value'`. */
const ASSIGNMENT = /(?:^|\s)([A-Za-z_]\w*)=(?:"([^"]*)"|'([^']*)'|(\S*))/g;
/**
 * In the rest of a FROM line: repositories, `>` for an overwritten list, a path for an edited one. `>.d/x.list` and
 * `/etc/apk/repositories.bak` are other files.
 */
const TOKEN =
  /(?:(@[A-Za-z0-9._-]+)\s+)?(https?:\/\/[^\s"'\\;&|<>)]+)|(>(?:[\w.-][\w./-]*)?)|(\/etc\/apk[\w./-]*)/g;
/** The list, its folder, or files that apk reads besides. */
const EDITED = /^\/etc\/apk(?:\/|\/repositories(?:\.d(?:\/.*)?)?)?$/;
/** A file in a repository; an excerpt cannot distinguish it from the repository itself. */
const BELOW_COMPONENT = /\/(?:main|community|testing)\/./;

export function parseDockerfile(excerpt: string): Dockerfile {
  const args = new Map<string, string>();
  const starts: StageStart[] = [];
  const aliases = new Map<string, number[]>();
  for (const text of instructions(excerpt)) {
    const line = text.replace(/^<</, '');
    const isWritten = line !== text;
    const from = FROM.exec(line);
    const rest = from?.[4] ?? '';
    if (from && !isWritten && !hasOtherWords(rest)) starts.push({ line, from, rest });
    else if (/^FROM\s/i.test(line)) {
      const stage = starts.at(-1);
      if (stage) stage.rest += ` ${rest}`;
      // Pins behind a FROM line that is written to another Dockerfile may be in either.
      if (isWritten && !hasOtherWords(rest)) continue;
      const alias = withoutTokens(line);
      const around = aliases.get(alias) ?? [];
      around.push(starts.length - 1);
      aliases.set(alias, around);
    } else if (starts.length === 0) for (const [name, value] of defaults(line)) args.set(name, value);
  }
  return { args, stages: starts.map(stageOf), aliases };
}

/**
 * Joined lines with single blanks, without empty ones and comments, which cannot be continued. A repository at the start
 * of a line, as in a here-document, belongs to the stage in front of it; so does one behind the `\n` of an argument. A
 * FROM line at the top of a here-document begins with `<<`.
 */
function instructions(text: string): readonly string[] {
  return text
    .replace(/(?<![^\n])[ \t\r]*(?:#[^\n]*)?\n/g, '')
    .replace(/<<(?=FROM\s)/gi, '\n<<')
    .replace(/["'=]?(?:\\n)+/g, ' ')
    .replace(/\r?\n[ \t]*(?=(?:@[A-Za-z0-9._-]+[ \t]+)?https?:\/\/)/g, ' ')
    .replace(/\\[ \t]*\r?\n/g, ' ')
    .split(/\r?\n/)
    .map((line) => separated(line).trim().replace(/\s+/g, ' '))
    .filter((line) => line !== '');
}

/** Tokens follow the text before them directly, with the quote or `=` of the file. */
function separated(line: string): string {
  return line.replace(
    /["'=]?(?=@[A-Za-z0-9._-]+\s+https?:)|["'=](?=https?:)|["']?(?=>)|["'=]?(?=\/etc\/apk)/g,
    ' ',
  );
}

interface StageStart {
  readonly line: string;
  readonly from: RegExpExecArray;
  /** What follows image and name, up to the next stage. */
  rest: string;
}

function stageOf({ line, from, rest }: StageStart): Stage {
  return {
    from: withoutTokens(line),
    image: (from[2] ?? '').replace(/["']/g, ''),
    name: from[3]?.toLowerCase(),
    ...changesIn(rest),
  };
}

/** From the excerpt of a script. */
export function parseChanges(excerpt: string): Changes {
  return changesIn(instructions(` ${excerpt}`).join(' '));
}

function changesIn(rest: string): Changes {
  const tokens = [...rest.matchAll(TOKEN)];
  const edited = tokens.findLastIndex((token) => EDITED.test(token[4] ?? ''));
  return {
    repositories: tokens.slice(edited + 1).flatMap(([, tag, url = '']) => {
      if (url === '' || BELOW_COMPONENT.test(url)) return [];
      return [parseRepositoryLine(tag === undefined ? url : `${tag} ${url}`)];
    }),
    isReplaced: tokens.some((token) => token[3] === '>'),
    isEdited: edited >= 0,
  };
}

/** The FROM line alone, as a lookup names the stage. */
export function withoutTokens(line: string): string {
  return line
    .replace(/\\[ \t]*\r?\n/g, ' ')
    .replace(TOKEN, ' ')
    .replace(/["'=]/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Words after image and name that are not tokens: the line belongs to a script or query. Comments are allowed. */
function hasOtherWords(rest: string): boolean {
  return /[^\s"'=]/.test(rest.replace(TOKEN, ' ').replace(/\s#.*$/, ''));
}

function* defaults(line: string): Generator<[string, string]> {
  const arg = ARG.exec(line);
  for (const [, name = '', double, single, bare] of (arg?.[1] ?? '').matchAll(ASSIGNMENT))
    yield [name, double ?? single ?? bare ?? ''];
}

/** The base image of a stage, through the stages that it builds on, and the changes that these make. */
export interface StageBase extends Changes {
  /** A variable without a default stays as written; `undefined` if the name is empty. */
  readonly image: string | undefined;
  /** As written in the file, for messages. */
  readonly written: string;
}

export function baseOf({ args, stages }: Dockerfile, index: number): StageBase | undefined {
  const repositories: RepositoryLine[] = [];
  let isEdited = false;
  for (let i = index; i >= 0;) {
    const stage = stages[i];
    if (!stage) return undefined;
    if (!isEdited) repositories.push(...stage.repositories);
    isEdited ||= stage.isEdited;
    const image = expand(stage.image, args);
    const written = stage.image;
    if (stage.isReplaced) return { image, written, repositories, isReplaced: true, isEdited };
    const name = image?.toLowerCase();
    const parent = stages.slice(0, i).findLastIndex((each) => each.name !== undefined && each.name === name);
    if (parent < 0) return { image, written, repositories, isReplaced: false, isEdited };
    i = parent;
  }
  return undefined;
}

/** `$NAME`, `${NAME}`, `${NAME:-word}`, `${NAME:+word}`; unknown values stay as written. `undefined` if nothing is left. */
export function expand(text: string, args: ReadonlyMap<string, string>, depth = 0): string | undefined {
  if (depth > 8) return undefined;
  const expanded = text.replace(
    /\$(?:\{([A-Za-z_]\w*)(?::?([-+])([^}]*))?\}|([A-Za-z_]\w*))/g,
    (
      all: string,
      braced: string | undefined,
      operator: string | undefined,
      word: string | undefined,
      bare: string | undefined,
    ) => {
      const value = args.get(braced ?? bare ?? '');
      if (operator === '+') return value ? (word ?? '') : '';
      const chosen = value || (operator === '-' ? word : value);
      return chosen ?? all;
    },
  );
  if (/^$|:$/.test(expanded)) return undefined;
  if (expanded === text) return expanded;
  return expand(expanded, args, depth + 1);
}
