/** Expressions shared by the preset's managers. For RE2: no look-around, no back-references. */

/** apk-tools, `src/version.c`: digit{.digit}…{letter}{_suffix{digit}}…{~hash}{-r#}. */
export const VERSION =
  '[0-9]+(?:\\.[0-9]+)*[a-z]?(?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]*)*(?:~[0-9a-f]+)?(?:-r[0-9]+)?';
/** A package or a provided name; with `$` or `{` it is a template. */
export const NAME = '[a-zA-Z0-9][a-zA-Z0-9._+:-]*';
export const TAG = '[a-zA-Z0-9._-]+';
/** Characters of an exact or fuzzy operator; apk accepts them in any order. */
export const OPERATOR = '==|=~|~=|=|~';
/** A line continuation, with comments, lines of a template engine (`{% … %}`) and empty ones after it. */
export const CONTINUATION = '\\\\[ \\t]*\\r?\\n(?:[ \\t]*(?:(?:#|[{][#%])[^\\n]*)?\\r?\\n)*';

const BLANK = `(?:[ \\t]|${CONTINUATION})`;
/** Options of apk before `add`, with and without a value. */
const OPTIONS = `(?:-[^\\s;&|]+${BLANK}+(?:[^-\\s\\\\;&|][^\\s;&|]*${BLANK}+)??)*?`;
/** Up to the arguments. `xx-apk` is that of tonistiigi/xx. */
export const APK_ADD = `(?:xx-)?apk(?:\\.static)?${BLANK}+${OPTIONS}add`;

export const dockerfiles = ['/(^|/|\\.)([Dd]ocker|[Cc]ontainer)file([^/]*)$/'];
export const scripts = ['/\\.(sh|bash|ash)$/', '/\\.gitlab-ci\\.ya?ml$/', '/(^|/)\\.gitlab/.*\\.ya?ml$/'];
/** Files that set versions for scripts and builds. */
export const settings = ['/\\.hcl$/', '/(^|/)\\.github/workflows/[^/]+\\.ya?ml$/'];
