/** Expressions that the preset's managers share. Written for RE2: no look-around, no back-references. */

/** apk-tools, `src/version.c`: digit{.digit}…{letter}{_suffix{digit}}…{~hash}{-r#}. */
export const VERSION =
  '[0-9]+(?:\\.[0-9]+)*[a-z]?(?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]*)*(?:~[0-9a-f]+)?(?:-r[0-9]+)?';
/** A package or a provided name; whatever holds `$` or `{` is a template. */
export const NAME = '[a-zA-Z0-9][a-zA-Z0-9._+:-]*';
export const TAG = '[a-zA-Z0-9._-]+';
/** Of these an exact or fuzzy pin is made; apk takes the characters in any order. */
export const OPERATOR = '==|=~|~=|=|~';
/** A continued line, with the comments and empty lines that may follow it. */
export const CONTINUATION = '\\\\[ \\t]*\\r?\\n(?:[ \\t]*(?:#[^\\n]*)?\\r?\\n)*';

export const dockerfiles = ['/(^|/|\\.)([Dd]ocker|[Cc]ontainer)file([^/]*)$/'];
export const scripts = ['/\\.(sh|bash|ash)$/', '/\\.gitlab-ci\\.ya?ml$/', '/(^|/)\\.gitlab/.*\\.ya?ml$/'];
/** Where versions are set for scripts and builds. */
export const settings = ['/\\.hcl$/', '/(^|/)\\.github/workflows/[^/]+\\.ya?ml$/'];
