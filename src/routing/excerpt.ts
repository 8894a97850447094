/**
 * The excerpt of a file that a lookup carries. The expressions are used twice: by `excerptOf`, and by Renovate, for
 * which the preset puts them into templates with `replace`. So they work in RE2 and JavaScript (no look-around) and
 * contain no `'`, which quotes them in templates. Text that is not captured is dropped.
 */

/** A shell word that may be an address. */
const URL_CHARS = '[^\\s"\\x27\\\\;&|<>)]';
/** A blank or a line continuation. */
const GAP = '(?:[ \\t=]|\\\\[ \\t]*\\r?\\n)*';
const LIST = '/etc/apk/repositories';
const CONTINUED = '(?:\\\\[ \\t]*\\r?\\n|[^\\n])*';

/** What a Dockerfile may begin with. */
export const COMMENTS = '^(?:[ \\t]*(?:#[^\\n]*)?\\r?\\n)*';
/** ARG lines before the first FROM, with comments and template lines (`{% … %}`) between them. */
const GLOBAL_ARGS = `^(?:[ \\t]*(?:[#{%][^\\n]*|[Aa][Rr][Gg][ \\t]${CONTINUED})?\\r?\\n)*`;
/** In words: letters, `-` and `=` that begin none of the alternatives of `FROM_LINES`. */
const DASHED = '--?[^Xr\\s"\\x27=>-]';
const INNER = `(?:[^\\s"\\x27=>-]|${DASHED}|=[^\\s"\\x27=>@h-])`;
/** Words that start none of them, as many as possible per match, because each match costs. */
const HARMLESS =
  `${INNER}+(?:(?:[ \\t]+(?:[^\\s"\\x27=>@hst-]|${DASHED})` +
  `|(?:[ \\t\\r]*\\n)+[ \\t]*(?:[^\\s"\\x27=>@hst#FfCA-]|${DASHED}))${INNER}*)*`;
/**
 * Keeps FROM lines, the global ARG lines directly before the first, and the changes of a stage to its repositories:
 * `@tag URL`, addresses of components (`…/main`), addresses added to the list, `>` for an overwritten list, and the
 * path of the list if its branch is edited. Drops comments and repositories of a single command (`-X`).
 */
export const FROM_LINES = [
  `((?:${GLOBAL_ARGS}|\\n)[ \\t]*[Ff][Rr][Oo][Mm][ \\t]${CONTINUED})`,
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
 * The limit of encoded context in an address, in bytes: proxies often allow 8 KiB for a whole address. A longer context
 * is replaced by `CUT`. The longest of 19,000 public pins needed 1.5 kB.
 */
export const MOST_CONTEXT = 2000;
export const CUT = 'cut';
/** RE2 counts to 1000 at most. */
export const TOO_LONG = `^${'[!-~]{1000}'.repeat(MOST_CONTEXT / 1000)}[!-~]+$`;

/** The excerpt of a whole Dockerfile, as the preset makes it. */
export function excerptOf(file: string): string {
  return file.replace(new RegExp(COMMENTS), '').replace(new RegExp(FROM_LINES, 'g'), FROM_LINES_KEPT);
}
