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
/** ARG lines in front of the first FROM; comments and lines of templates (`{% … %}`) may stand between. */
const GLOBAL_ARGS = `^(?:[ \\t]*(?:[#{%][^\\n]*|[Aa][Rr][Gg][ \\t]${CONTINUED})?\\r?\\n)*`;
/** In words: letters, `-` and `=` that begin none of the alternatives of `FROM_LINES`. */
const DASHED = '--?[^Xr\\s"\\x27=>-]';
const INNER = `(?:[^\\s"\\x27=>-]|${DASHED}|=[^\\s"\\x27=>@h-])`;
/** Words that start none of them, as many as possible per match, because each match costs. */
const HARMLESS =
  `${INNER}+(?:(?:[ \\t]+(?:[^\\s"\\x27=>@hst-]|${DASHED})` +
  `|(?:[ \\t\\r]*\\n)+[ \\t]*(?:[^\\s"\\x27=>@hst#FfCA-]|${DASHED}))${INNER}*)*`;
/**
 * Keeps FROM lines, the global ARG lines that stand right in front of the first, and what a stage does to its repositories: `@tag URL`, addresses of components (`…/main`), addresses
 * written to the list, `>` for a list written anew, and the path of the list where its branch is edited. Comments and
 * repositories of a single command (`-X`) are dropped.
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
 * The most bytes of context in an address, encoded: proxies often allow 8 KiB for all of it. A lookup that would need more
 * carries `CUT` in its place. The longest of 19,000 public pins needed 1.5 kB.
 */
export const MOST_CONTEXT = 2000;
export const CUT = 'cut';
/** RE2 counts to 1000 at most. */
export const TOO_LONG = `^${'[!-~]{1000}'.repeat(MOST_CONTEXT / 1000)}[!-~]+$`;

/** The excerpt of a whole Dockerfile, as the preset makes it. */
export function excerptOf(file: string): string {
  return file.replace(new RegExp(COMMENTS), '').replace(new RegExp(FROM_LINES, 'g'), FROM_LINES_KEPT);
}
