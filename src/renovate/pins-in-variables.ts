/**
 * Versions outside a command: below a comment that names the package, or in a variable that an `apk add` of the same
 * Dockerfile uses.
 */
import { APK_ADD, CONTINUATION, dockerfiles, NAME, scripts, settings, TAG, VERSION } from './grammar.ts';
import { COMMENTS } from '../routing/excerpt.ts';
import {
  contextParameters,
  encoded,
  lookupPath,
  onlyParameter,
  replaced,
  repositoriesOf,
  stages,
} from './lookup-url.ts';
import type { PresetContext, PresetRule } from './preset.ts';
import { NO_OPINION } from './static-routes.ts';

/** HCL has both. */
const COMMENT = '(?:#|//)[ \\t]*';
/** Lines without gaps. A comment for Renovate and the next line are one match; a plain comment may be between. */
const LINES = `[ \\t]*${COMMENT}renovate:[^\\n]*\\n(?:[ \\t]*${COMMENT}[^r\\s][^\\n]*\\n)?[^\\n]*(?:\\n|$)|[^\\n]*\\n|[^\\n]+`;
/** `ARG X=1`, `ENV X 1`, `X: "1"`, `default = "1"`, `export X=1; \`, with nothing else on the line. */
const ASSIGNMENT =
  '(?:^|\\n)[ \\t]*(?:-[ \\t]+)?(?:(?:[Ee][Nn][Vv]|[Aa][Rr][Gg]|export|readonly|local)[ \\t]+)?' +
  `(?<variable>[A-Za-z_][A-Za-z0-9_]*)(?:[ \\t]*[:=][ \\t]*|[ \\t]+)["']?(?<version>${VERSION})["']?;?[ \\t]*(?:\\\\[ \\t]*|[ \\t](?:#|//)[^\\n]*)?\\r?\\n?$`;

/**
 *     # renovate: datasource=custom.alpine depName=curl
 *     ARG CURL_VERSION=8.20.0-r0
 *
 * or `# renovate: datasource=repology depName=alpine_3_24/curl`, before or after the version on its line.
 */
export function notedManager({ datasource, names, lookup, statics }: PresetContext): PresetRule {
  const ours = [...new Set(['apk', ...names])].map((name) => name.replaceAll('.', '\\.')).join('|');
  const noted = `^(?<note>[^\\n]*${COMMENT}renovate:[^\\n]*[ \\t]datasource=(?:repology|apk|custom\\.(?:${ours}))(?:[ \\t\\r][^\\n]*)?(?:\\n[\\s\\S]*)?)$`;
  const comment = replaced(`^[\\s\\S]*?${COMMENT}renovate:[ \\t]*([^\\n]*)[\\s\\S]*$`, '$1', 'note');
  const named = (field: string, text: string): string =>
    replaced(`^(?:[\\s\\S]*?[ \\t])?${field}=([^\\s]+)[\\s\\S]*$`, '$1', text);
  // packageName takes precedence over depName; the branch in Repology's names is not part of the name.
  const renamed = replaced('^[\\s\\S]*[ \\t]packageName=([^\\s]+)[\\s\\S]*$', ' depName=$1', comment);
  const name = replaced('^alpine_[a-z0-9_]+/', '', named('depName', renamed));
  const own = replaced('^[\\s\\S]*[ \\t]datasource=(custom\\.[^\\s]+)[\\s\\S]*$', '$1', 'note');
  const routed = `${lookupPath(lookup, name)}?current=${encoded('version')}${onlyParameter(lookup)}${contextParameters('note', [comment, stages('file')])}`;
  const source = replaced('^[\\s\\S]*[ \\t]datasource=custom[.]([^\\s]+)[\\s\\S]*$', '$1', 'note');
  const byName = `${lookup.url}/{{#if (containsString note "datasource=custom.")}}${encoded(source)}/${encoded(name)}{{else}}${NO_OPINION}{{/if}}`;
  return {
    description: ['A comment for Renovate before or after a version'],
    customType: 'regex',
    managerFilePatterns: [...dockerfiles, ...scripts, ...settings],
    matchStringsStrategy: 'recursive',
    matchStrings: ['^(?<file>[\\s\\S]*renovate:[\\s\\S]*)$', LINES, noted, ASSIGNMENT],
    depNameTemplate: `{{{${name.slice(1, -1)}}}}`,
    datasourceTemplate: `{{#if (containsString note "datasource=custom.")}}{{{${own.slice(1, -1)}}}}{{else}}${datasource}{{/if}}`,
    depTypeTemplate: 'noted',
    currentValueTemplate: '{{{version}}}',
    registryUrlTemplate: statics ? byName : routed,
  };
}

/**
 * `ARG GIT_VERSION=2.49.1-r0`, used as `apk add git=$GIT_VERSION`. Expressions built from the variable's name and value
 * find the package: that of the first use after the line, up to where the variable gets another value. If no `apk add`
 * uses the variable alone, there is no name, and Renovate drops the dependency.
 */
export function variableManager({ datasource, lookup }: PresetContext): PresetRule {
  const piece = `(?:${CONTINUATION}|[^\\n;&|\\\\]|\\\\[^\\s])`;
  const variable = '["\\x27]?[$](?:VARIABLE|[{]VARIABLE[}])';
  const rest = `((?:${CONTINUATION}|[ \\t\\r"\\x27)])${piece}*)?(?:[\\n;&|\\\\][\\s\\S]*)?$`;
  const command = `[\\s;&|(/"\\x27]${APK_ADD}${piece}*?`;
  const mayUse = `${COMMENTS}(?<file>[ \\t]*[^#\\s][\\s\\S]*${command}={1,2}["\\x27]?[$][\\s\\S]*)$`;
  const use = `^[\\s\\S]*?(${command}[\\s"\\x27])(${NAME})(?:@(${TAG}))?={1,2}${variable}${rest}|^[\\s\\S]*$`;
  const assignment = '\\sVARIABLE[ \\t=]+["\\x27]?';
  const upToValue = `^[\\s\\S]*?${assignment}VALUE[^A-Za-z0-9._~-]`;
  const ofVariable = (pattern: string): string =>
    `(replace 'VARIABLE' variable (replace 'VALUE' version '${pattern}'))`;
  const text = replaced('\\n[ \\t]*#[^\\n]*', '', 'file');
  const behind = `(replace ${ofVariable(upToValue)} '' ${text})`;
  const scope = `(replace ${ofVariable(`${assignment}[0-9][\\s\\S]*$`)} '' ${behind})`;
  const used = (group: string): string => `(replace ${ofVariable(use)} '${group}' ${scope})`;
  const name = used('$2');
  const upToUse = `(replace ${ofVariable(`(${upToValue}[\\s\\S]*?)={1,2}${variable}${rest}`)} '$1' ${text})`;
  return {
    description: ['Dockerfile: ARG and ENV that apk add uses as name=$VARIABLE'],
    customType: 'regex',
    managerFilePatterns: dockerfiles,
    matchStringsStrategy: 'recursive',
    matchStrings: [mayUse, LINES, '^[ \\t]*[^#\\s][^\\n]*\\n?', ASSIGNMENT],
    depNameTemplate: `{{{${name.slice(1, -1)}}}}`,
    datasourceTemplate: datasource,
    depTypeTemplate: 'apk',
    currentValueTemplate: '{{{version}}}',
    registryUrlTemplate: `${lookupPath(lookup, name)}?current=${encoded('version')}&tag=${encoded(used('$3'))}${onlyParameter(lookup)}${contextParameters('dockerfile', [repositoriesOf(used('$1$4')), 'none', stages(upToUse)])}`,
  };
}
