/**
 * The excerpt of a file that a lookup carries. The expressions are used twice: by `excerptOf`, and by Renovate, for
 * which the preset puts them into templates with `replace`. So they work in RE2 and JavaScript (no look-around) and
 * contain no `'`, which quotes them in templates. Text that is not captured is dropped.
 */

/** A shell word that may be an address. */
const URL_CHARS = '[^\\s"\\x27\\\\;&|<>)]';
const ADDRESS = `https?://${URL_CHARS}+`;
/** Before an address. */
const TAG = '@[A-Za-z0-9._-]+[ \\t]+';
const LINE = `(?:${TAG})?${ADDRESS}`;
/** Between the lines of a list in arguments, as in `echo -e "URL\nURL"` and `printf '%s\n' 'URL' 'URL'`. */
const BETWEEN = '(?:["\\x27 \\t]|\\\\n|\\\\[ \\t]*\\r?\\n)';
const NEXT_LINE = `(?:${BETWEEN}+${LINE})`;
const FIRST = '[\\s"\\x27=](?:\\\\n)*';
const LINES = `${FIRST}${LINE}${NEXT_LINE}*`;
/** Behind the command of a here-document. */
const HERE = '<<-?[ \\t]*["\\x27]?[A-Za-z_]+["\\x27]?[ \\t]*';
/** An empty line of a list, or a comment. */
const NO_LINE = '(?:[ \\t\\r]*\\n(?:[ \\t]*#[^\\n]*)?)';
/** An option that names a repository, also among other letters (`-UX`), with what stands before its value. */
const OPTION = '(?:-[A-Za-z]*X|--repository|--repositories-file)(?:[ \\t="\\x27]|\\\\[ \\t]*\\r?\\n)*';
const LIST = '/etc/apk/repositories';
const CONTINUED = '(?:\\\\[ \\t]*\\r?\\n|[^\\n])*';

/** A byte order mark, comments and empty lines at the start of a Dockerfile. */
export const COMMENTS = '^\\uFEFF?(?:[ \\t]*(?:#[^\\n]*)?\\r?\\n)*';
/** ARG lines before the first FROM, with comments and template lines (`{% … %}`) between them. */
const GLOBAL_ARGS = `^(?:[ \\t]*(?:[#{%][^\\n]*|[Aa][Rr][Gg][ \\t]${CONTINUED})?\\r?\\n)*`;
/** The end of a line that a backslash continues, and comments behind it. One with a backslash at its end is a letter. */
const LINE_END = '[ \\t]*\\r?\\n(?:[ \\t]*#(?:[^\\n]*[^\\\\\\s])?[ \\t]*\\r?\\n)*';
const CONTINUES = `\\\\${LINE_END}`;
const DOUBLE = `(?:[^"\\\\\\n]|\\\\[\\s\\S])`;
const SINGLE = `(?:[^\\x27\\\\\\n]|\\\\(?:${LINE_END})?)`;
/** A piece of a command: a letter, a quoted word, a line continuation. */
const PIECE = `(?:[^\\n;&|"\\x27\\\\]|\\\\[^\\n]|${CONTINUES}|"${DOUBLE}*"|\\x27${SINGLE}*\\x27)`;
/** Of an instruction. */
const LETTER = `(?:${CONTINUES}|[^\\n])`;
const BLANKS = `(?:[ \\t]|${CONTINUES})+`;
/** Of a command that writes a list; of several in parentheses or braces. */
const ARGUMENT = `(?:${CONTINUES}|[^\\n;&|>])`;
const LISTED = `(?:${CONTINUES}|[^\\n>])`;
/** Before a word; in the JSON form a word has quotes. */
const BEFORE = '[\\s"\\x27;&|(]';
const BEFORE_PATH = `(?:[ \\t"\\x27]|${CONTINUES}["\\x27]?)`;
/**
 * Parts of a sed expression that changes more than mirrors or schemes: a branch, a pattern for one, a component that
 * only one branch has, a line to insert, a variable to search for.
 */
const BRANCH =
  '(?:edge|latest-stable|testing|v3|v[\\[\\\\$]|/v[.]|[^0-9.]3\\\\*[.][0-9]|\\\\?[0-9$][ \\t]*[ai][ \\t\\\\]*(?:@|https?:))';
const VARIABLE = 's[/|#,@;!~%:][$]';
/** In a word, in a quoted one, or as one. */
const BRANCH_WORD = `(?:${BRANCH}|[ \\t]${VARIABLE}|"(?:${DOUBLE}*?${BRANCH}|(?:${DOUBLE}*?[\\s;])?${VARIABLE})${DOUBLE}*"|\\x27${SINGLE}*?${BRANCH}${SINGLE}*\\x27)`;
/** The text before the path of a list that is edited, or before the folder that one is copied to. */
const EDITS = [
  `${BEFORE}(?:sed|perl)(?:[ \\t"]|${CONTINUES})${PIECE}*?${BRANCH_WORD}${PIECE}*?${BEFORE_PATH}`,
  `${BEFORE}tee${BLANKS}(?:-[^\\s]*${BLANKS})*["\\x27]?`,
  // What is added there cannot be read, or an alternative in front would have taken it.
  '>>[ \\t]*["\\x27]?',
  `${BEFORE}(?:mv|rm|ed|ex|patch|truncate|[gm]?awk[ \\t]+-i)(?:[ \\t"]|${CONTINUES})(?:${PIECE}*${BEFORE_PATH})?`,
  // Not the first operand, which is only read; nor that of COPY below.
  `${BEFORE}(?:cp|ln|install)${BLANKS}(?:-[^\\s]*${BLANKS})*[^-\\s\\\\;&|]${PIECE}*${BEFORE_PATH}`,
  `${BEFORE}(?:curl|wget)[ \\t]${PIECE}*?(?:-[A-Za-z]*[oO]|--output|--output-document)[ \\t=]*["\\x27]?`,
  `\\n[ \\t]*(?:[Cc][Oo][Pp][Yy]|[Aa][Dd][Dd])${BLANKS}(?:--[^\\s]*${BLANKS})*[^-\\s\\\\]${LETTER}*[\\s"\\x27]`,
  `${HERE}>[ \\t]*["\\x27]?`,
  `[ \\t](?:of|--mount=[^\\s]*(?:target|dst|destination))=`,
  // Of a function of another language, as in `python -c "open('/etc/apk/repositories', 'w')"`.
  '[(]\\\\?["\\x27]',
  // What is done with the variable, or in the folder, cannot be read.
  '=["\\x27]?',
  '\\n[ \\t]*[Ww][Oo][Rr][Kk][Dd][Ii][Rr][ \\t]+["\\x27]?',
  // A part of what overwrites the list is in a variable.
  `${BEFORE}(?:(?:echo|printf)[ \\t]${ARGUMENT}*|[({]${LISTED}*)[$][A-Za-z_{(](?:${ARGUMENT}*|${LISTED}*[)}][ \\t]*)>[ \\t]*["\\x27]?`,
].join('|');
/** With what shows that it is another file, as in `/etc/apk/repositories.bak` or `/etc/apk/keys`. */
const EDITED_PATH = '/etc/apk(?:/repositories[A-Za-z0-9_./-]*|/?[A-Za-z0-9_.-]?)';
/** `.d/x.list` behind the path of the list: RE2 cannot look ahead, so the service sees that it is not the list. */
const SUFFIX = '(?:[A-Za-z0-9_.-][A-Za-z0-9_./-]*)?';

/** The other order: `sed -i /etc/apk/repositories -e 's/v3.22/edge/'`. */
const EDITED_FIRST = `${BEFORE}sed(?:${BLANKS}-[^\\s]*)*${BLANKS}["\\x27]?(${EDITED_PATH})["\\x27]?${BLANKS}${PIECE}*?${BRANCH_WORD}`;

/** Letters that begin none of the alternatives of `FROM_LINES`, as many as possible per match, because each match costs. */
const HARMLESS = '[^\\s"\\x27=>;&|(-]+';
const FROM_LINE = `((?:${GLOBAL_ARGS}|\\n)[ \\t]*[Ff][Rr][Oo][Mm][ \\t]${CONTINUED})`;
/** At the top of a here-document, as of a Dockerfile that is written: what stands behind `<<` starts no stage. */
const HERE_FROM = `(<<)-?[ \\t]*["\\x27]?[A-Za-z_][^\\n]*\\n(?:[ \\t]*(?:#[^\\n]*|[Aa][Rr][Gg][ \\t][^\\n]*)?\\r?\\n)*[ \\t]*([Ff][Rr][Oo][Mm][ \\t][^\\n]*)`;
const BRANCHES = '(?:edge|latest-stable|v[0-9]+[.][0-9]+)/(?:main|community|testing)';
/**
 * Keeps FROM lines, the global ARG lines directly before the first, and the changes of a stage to its repositories:
 * `@tag URL`, addresses of components (`…/main`), addresses added to the list, `>` for an overwritten list, and the
 * path of the list if its branch is edited or something else is added, as by `echo $REPOSITORY >>`. Drops comments and
 * repositories of a single command (`-X`).
 */
export const FROM_LINES = [
  FROM_LINE,
  HERE_FROM,
  '\\n[ \\t]*#[^\\n]*',
  `${OPTION}[^\\s"\\x27]+`,
  `(${LINES})${BETWEEN}*(?:>>[ \\t]*["\\x27]?${LIST}|[|][ \\t]*tee[ \\t]+(?:(?:-a|--append)[ \\t]+["\\x27]?${LIST}|["\\x27]?${LIST}[.]d/))`,
  `(?:${HERE})?(?:>>|(>))[ \\t]*["\\x27]?${LIST}(?:["\\x27 \\t;&|<][^\\n]*)?((?:${NO_LINE}*[ \\t\\r]*\\n[ \\t]*${LINE})+)${NO_LINE}*[ \\t\\r]*\\n[ \\t]*[A-Za-z_]`,
  // Other lines are in the here-document.
  `>[ \\t]*["\\x27]?(${LIST})["\\x27]?[ \\t]*<<`,
  `((?:${LINES}${BETWEEN}*)?>)[ \\t]*["\\x27]?${LIST}(${SUFFIX})`,
  `(${FIRST}(?:${TAG}${ADDRESS}|https?://${URL_CHARS}*/${BRANCHES}${URL_CHARS}*))`,
  // One of several that are written together, as in `{ echo URL; echo URL; } >`.
  `${BEFORE}echo(?:[ \\t]+-[neE]+)*[ \\t]*([ \\t"\\x27]${LINE})["\\x27]?[ \\t]*(?:;|&&|[)}])`,
  `(?:${EDITS})(${EDITED_PATH})`,
  EDITED_FIRST,
  `${BEFORE}cd[ \\t]+["\\x27]?(/etc/apk)/?["\\x27]?[ \\t]*(?:&&|;)${LETTER}*[ \\t"\\x27>]repositories`,
  '>>',
  HARMLESS,
  '[\\s\\S]',
].join('|');
export const FROM_LINES_KEPT = '$1$2$3$4$5$6$7$8$9$10$11$12$13$14';
/** Without stages: what a script or CI file changes. FROM lines that are written to other files stay. */
export const CHANGES_KEPT = FROM_LINES_KEPT.replace('$1', '');
/** What every change of repositories contains. */
export const CHANGE = `/etc/apk|${TAG}https?:|/${BRANCHES}`;
/**
 * The same excerpt of a file without any `CHANGE`, in a small part of the time that RE2 needs for `FROM_LINES`. With as
 * many groups.
 */
export const FROM_LINES_ONLY = `${FROM_LINE}|\\n[ \\t]*#[^\\n]*|[^\\n]*?${HERE_FROM}|[^\\n]+|\\n|${'()'.repeat(11)}`;
/** `-X URL`, `--repository=URL`. */
export const REPOSITORY_OPTION = `\\s["\\x27]?${OPTION}[^\\s"\\x27]+`;
/** Keeps the repositories of one command, but not in comments. */
export const COMMAND_REPOSITORIES = `(${REPOSITORY_OPTION})|\\s#[^\\n]*|[^\\s]+|\\s`;
const IMAGE = '["\\x27]?image["\\x27]?:';
/** Lines that may stand between `image:` and its `name:`, also those of a list. */
const BESIDE_NAME =
  '(?:\\n[ \\t]+(?:(?:docker|entrypoint|kubernetes|platform|pull_policy|user):|[-"\\x27\\[\\]])[^\\n]*|\\n[ \\t]*(?:#[^\\n]*|\\r)?)';
/**
 * Keeps the images of a CI file: `image: X`, `image:` with `name: X` below it, `{image: X}` and `{image: {name: X}}`. An
 * image whose name is not found is kept without one.
 */
export const IMAGE_LINES = [
  `((?:^|\\n)[ \\t]*(?:-[ \\t]+)?${IMAGE}[ \\t]*(?:&[^\\s]+)?)[ \\t]*[{]?[ \\t]*(?:#[^\\n]*|\\r)?${BESIDE_NAME}*(\\n[ \\t]+["\\x27]?name["\\x27]?:[^\\n]*)`,
  `((?:^|\\n)[ \\t]*(?:-[ \\t]+)?${IMAGE}[^\\n]*)`,
  `([{,][ \\t]*${IMAGE}[ \\t]*(?:[{][^\\n}]*|[^\\n,}]*))`,
  '\\n|[^\\n{,]+|[{,]',
].join('|');
export const IMAGE_LINES_KEPT = '$1$2$3$4';

/**
 * The limit of encoded context in an address, in bytes: proxies often allow 8 KiB for a whole address. A longer context
 * is replaced by `CUT`. The longest of 19,000 public pins needed 1.5 kB.
 */
export const MAX_CONTEXT = 2000;
export const CUT = 'cut';
/** RE2 counts to 1000 at most. */
export const TOO_LONG = `^${'[!-~]{1000}'.repeat(MAX_CONTEXT / 1000)}[!-~]+$`;

/** Of a repeated piece in JavaScript: longer addresses and commands are no real ones. */
const MAX_REPEATED = 300;
/** Of lines in arguments. */
const MAX_LINES = 20;
/**
 * For JavaScript, which backtracks: without limits, a line of many commands or addresses takes more than the square of its
 * length. RE2 takes no such time, but limits would slow it down.
 */
const BOUNDED_FROM_LINES = [PIECE, DOUBLE, SINGLE, LETTER, ARGUMENT, LISTED, URL_CHARS].reduce(
  (text, piece) =>
    text
      .replaceAll(`${piece}*`, `${piece}{0,${MAX_REPEATED}}`)
      .replaceAll(`${piece}+`, `${piece}{1,${MAX_REPEATED}}`),
  FROM_LINES.replaceAll(`${NEXT_LINE}*`, `${NEXT_LINE}{0,${MAX_LINES}}`),
);

/** The excerpt of a whole Dockerfile, as the preset makes it. */
export function excerptOf(file: string): string {
  return file.replace(new RegExp(COMMENTS), '').replace(new RegExp(BOUNDED_FROM_LINES, 'g'), FROM_LINES_KEPT);
}

/** What a script or CI file changes in the repositories of its image. */
export function changesOf(file: string): string {
  return file.replace(new RegExp(BOUNDED_FROM_LINES, 'g'), CHANGES_KEPT);
}
