/**
 * The excerpt of a file that a lookup carries. The expressions are used twice: by `excerptOf`, and by Renovate, for
 * which the preset puts them into templates with `replace`. So they work in RE2 and JavaScript (no look-around) and
 * contain no `'`, which quotes them in templates. Text that is not captured is dropped.
 */
import { CUT } from './dockerfile.ts';

/** A shell word that may be an address. */
const URL_CHARS = '[^\\s"\\x27\\\\;&|<>)]';
/** A blank or a line continuation. */
const GAP = '(?:[ \\t=]|\\\\[ \\t]*\\r?\\n)*';
const LIST = '/etc/apk/repositories';
const CONTINUED = '(?:\\\\[ \\t]*\\r?\\n|[^\\n])*';

/**
 * Splits a Dockerfile: `args` is the part before the first FROM, without a leading comment, `file` the rest. Captured
 * groups need no `replace` in a template, the most expensive operation per pin. Template lines (`{% … %}`) may be
 * between.
 */
export const HEAD =
  '^(?:[ \\t]*(?:#[^\\n]*)?\\r?\\n)*' +
  `(?<args>(?:[ \\t]*(?:[#{%][^\\n]*|[Aa][Rr][Gg][ \\t]${CONTINUED})?\\r?\\n)*)(?<file>[\\s\\S]*)$`;
/** Cuts a file at its first FROM; the rest has the global ARG lines. */
export const FROM_ON = '(?:^|\\n)[ \\t]*[Ff][Rr][Oo][Mm][ \\t][\\s\\S]*$';
/** Keeps ARG lines. */
export const ARG_LINES = `((?:^|\\n)[ \\t]*[Aa][Rr][Gg][ \\t]${CONTINUED})|\\n|[^\\n]+`;
/** Within words: letters, `-` and `=` that start none of the alternatives of `FROM_LINES`. */
const DASHED = '--?[^Xr\\s"\\x27=>-]';
const INNER = `(?:[^\\s"\\x27=>-]|${DASHED}|=[^\\s"\\x27=>@h-])`;
/** Words that start none of them, as many as possible per match, because each match costs. */
const HARMLESS =
  `${INNER}+(?:(?:[ \\t]+(?:[^\\s"\\x27=>@hst-]|${DASHED})` +
  `|(?:[ \\t\\r]*\\n)+[ \\t]*(?:[^\\s"\\x27=>@hst#FfCA-]|${DASHED}))${INNER}*)*`;
/**
 * Keeps FROM lines and what a stage does to its repositories: `@tag URL`, addresses of components (`…/main`), addresses
 * written to the list, `>` for an overwritten list, and the path of a list whose branch is edited. Comments and
 * repositories of a single command (`-X`) are dropped.
 */
export const FROM_LINES = [
  `((?:^|\\n)[ \\t]*[Ff][Rr][Oo][Mm][ \\t]${CONTINUED})`,
  '\\n[ \\t]*#[^\\n]*',
  `(?:-X|--repository)${GAP}["\\x27]?[^\\s"\\x27]+`,
  `([\\s"\\x27=]@[A-Za-z0-9._-]+[ \\t]+https?://${URL_CHARS}+)`,
  `([\\s"\\x27=]https?://${URL_CHARS}+["\\x27]?[ \\t]*>)[ \\t]*["\\x27]?${LIST}`,
  `([\\s"\\x27=]https?://${URL_CHARS}+)["\\x27]?[ \\t]*>>[ \\t]*["\\x27]?${LIST}`,
  `([\\s"\\x27=]https?://${URL_CHARS}*/(?:edge|latest-stable|v[0-9]+[.][0-9]+)/(?:main|community|testing)${URL_CHARS}*)`,
  `\\ssed[ \\t][^\\n;&]*(?:edge|v3|v\\[|v\\\\|latest-stable)[^\\n;&]*([ \\t]${LIST})`,
  `\\stee([ \\t]+["\\x27]?${LIST})`,
  `\\n[ \\t]*(?:COPY|ADD)[ \\t][^\\n]*([ \\t]${LIST})`,
  '>>',
  `(>)[ \\t]*["\\x27]?${LIST}`,
  HARMLESS,
  '[\\s\\S]',
].join('|');
export const FROM_LINES_KEPT = '$1$2$3$4$5$6$7$8$9';
/** `-X URL`, `--repository=URL`. */
export const REPOSITORY_OPTION = `\\s(?:-X|--repository|--repositories-file)${GAP}["\\x27]?[^\\s"\\x27]+`;
/** Keeps the repositories of one command. */
export const COMMAND_REPOSITORIES = `(${REPOSITORY_OPTION})|[^\\s]+|\\s`;
/** Keeps the `image:` lines of a CI file. */
export const IMAGE_LINES = '((?:^|\\n)[ \\t]*-?[ \\t]*image:[^\\n]*(?:\\n[ \\t]+name:[^\\n]*)?)|\\n|[^\\n]+';

/**
 * Longer excerpts are cut, because proxies often limit addresses to 8 KiB. By lines, because counting characters costs
 * RE2 six milliseconds per pin.
 */
export const MAX_LINES = 30;
export const TOO_LONG = `^((?:[^\\n]*\\n){${MAX_LINES}})[\\s\\S]+$`;
/** For lists in YAML, in characters. */
export const MAX_LIST = 2000;
export const CUT_SHORT = `$1${CUT}`;

/** The excerpt of a whole Dockerfile, as the preset makes it: `args` and `file` joined. */
export function excerptOf(file: string): string {
  const { args = '', file: rest = '' } = new RegExp(HEAD).exec(file)?.groups ?? {};
  return keep(args, TOO_LONG, '$1') + keep(keep(rest, FROM_LINES, FROM_LINES_KEPT), TOO_LONG, CUT_SHORT);
}

function keep(text: string, expression: string, kept: string): string {
  return text.replace(new RegExp(expression, 'g'), kept);
}
