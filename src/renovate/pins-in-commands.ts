/**
 * Pins of `apk add` in Dockerfiles, shell scripts and CI files. Regular expressions match from the outside in: file,
 * stage, instruction, command, line, word, pin. An inner level sees only the match of the outer one. Group names must
 * differ between levels, because inner groups hide outer ones. No level may match empty text: Renovate would try 10,000
 * times.
 */
import { APK_ADD, CONTINUATION, dockerfiles, NAME, scripts, TAG, VERSION } from './grammar.ts';
import { COMMENTS, REPOSITORY_OPTION } from '../routing/excerpt.ts';
import { changes, contextParameters, images, onlyParameter, stages } from './lookup-url.ts';
import type { PresetContext, PresetRule } from './preset.ts';
import { staticDockerfileUrl } from './static-routes.ts';

/**
 * The text after `add`, up to the end of the command; `end` is what ends it besides separators and the comma behind an item
 * of a flow list (`["apk add a=1", "pip install b==1"]`).
 */
const argumentsUpTo = (end: string): string =>
  `(?:${CONTINUATION}|[\\s"'\\\\])(?:${CONTINUATION}|[^${end};&|,\\\\]|,[^\\s"';&|,\\\\]|\\\\[^\\s])*`;
/** Line breaks are within a folded scalar. */
const ARGUMENTS = argumentsUpTo('');
/** A file without any pin ends here, and costs little. All of it stays available to the templates. */
const HOLDS_PINS = `[\\s\\S]*\\sadd${argumentsUpTo('\\n')}[=~]["']?~?[0-9][\\s\\S]*`;
/** The same of a CI file, with folded scalars. */
const MAY_HOLD_PINS = `[\\s\\S]*\\sadd[\\s"'\\\\][\\s\\S]*[=~]["']?~?[0-9][\\s\\S]*`;

/** A line that does not start a stage, letter by letter, because RE2 has no look-ahead. */
const OTHER_LINE =
  '(?:[ \\t]*(?:\\r?\\n|[^Ff\\s][^\\n]*(?:\\n|$)|[Ff](?:\\r?\\n|[^Rr\\n][^\\n]*(?:\\n|$)' +
  '|[Rr](?:\\r?\\n|[^Oo\\n][^\\n]*(?:\\n|$)|[Oo](?:\\r?\\n|[^Mm\\n][^\\n]*(?:\\n|$)' +
  '|[Mm](?:\\r?\\n|[^ \\t\\n][^\\n]*(?:\\n|$)))))))';
/** Stages follow each other without gaps, so each starts at the beginning of a line. */
const STAGE = `[ \\t]*(?<from>[Ff][Rr][Oo][Mm][ \\t](?:\\\\[ \\t]*\\r?\\n|[^\\n])*)(?:\\n|$)${OTHER_LINE}*|${OTHER_LINE}+`;
/** RUN with its continuations, or a line of a heredoc; lower case instructions are sorted out below. */
const INSTRUCTION = `(?:^|\\n)[ \\t]*(?:(?:ONBUILD[ \\t]+)?[Rr][Uu][Nn][ \\t]|[^A-Z#\\s])(?:${CONTINUATION}|[^\\n])*`;

const BOUNDARY = '[\\s;&|(/"\'`{!\\[]';
/** What passes a command to another container or host, up to that command, which may be quoted. */
const ELSEWHERE =
  '(?<elsewhere>(?:(?:docker|podman)(?:-compose)?|nerdctl|finch|buildah|kubectl|oc|crictl|ctr|incus|lxc)[ \\t][^\\n;&|]*?(?:run|exec)|ssh|lxc-attach)[ \\t]' +
  `(?:${CONTINUATION}|[^\\n;&|"'\\\\]|"[^"\\n]*"|'[^'\\n]*')*?(?:["'](?:${CONTINUATION}|[^\\n"'\\\\])*?)?${BOUNDARY}apk[ \\t]`;
/**
 * A scalar of YAML whose lines are joined, if it begins with apk: folded (`- >-`), or of several lines without a mark
 * (`- apk add …`). Its lines are indented more than the one before.
 */
const FOLDED = [0, 2, 4, 6, 8]
  .map((indent) => {
    const line = `\\n {${indent + 1}} *`;
    return ` {${indent}}(?:[^\\s#][^\\n]*[ \\t]>[-+1-9]*[ \\t\\r]*${line}|(?:-|[a-z_]+:)[ \\t]+["']?)(?:sudo[ \\t]+)?apk[ \\t][^\\n]*(?:${line}[^\\s#][^\\n]*)+`;
  })
  .join('|');
/** A line of a script with its continuations. */
const STATEMENT = `(?:^|\\n)(?:${FOLDED})|(?:^|\\n)[ \\t]*(?:(?:[^#\\s](?:${CONTINUATION}|[^\\n])*?${BOUNDARY})?${ELSEWHERE}|[^#\\s])(?:${CONTINUATION}|[^\\n])*`;
/**
 * Text that only mentions commands: matched first, so that no command is found in it, and dropped at the next level.
 */
const PROSE =
  '\\n[ \\t]*#[^\\n]*|;[ \\t]+#[^\\n]*' +
  `|(?:^|[\\s;&|({"'\`])(?:echo|printf|grep|logger)[ \\t](?:"(?:[^"\\\\]|\\\\[\\s\\S])*"|'[^']*'|${CONTINUATION}|\\\\[^\\s]|[^\\n;&|"'\\\\)\`])*`;
/** Of a Dockerfile; in a script these are commands. */
const OTHER_INSTRUCTION =
  '^\\s*(?:add|arg|cmd|copy|entrypoint|env|expose|healthcheck|label|maintainer|shell|user|volume|workdir)[ \\t][\\s\\S]*';
/** Of a Dockerfile that a script writes. */
const WRITTEN_INSTRUCTION = '^\\s*(?:ONBUILD[ \\t]+)?RUN[ \\t][\\s\\S]*';
const COMMAND = `${PROSE}|(?:^|${BOUNDARY})${APK_ADD}${ARGUMENTS}`;
/**
 * `options`: up to the last option that names a repository, or nothing. `depType` is captured, because every template costs
 * a fraction of a millisecond a pin.
 */
const REAL_COMMAND = `^${BOUNDARY}?(?<command>(?:xx-)?(?<depType>apk)(?<options>[\\s\\S]*${REPOSITORY_OPTION}|)[\\s\\S]*)$`;
/** Up to a comment. */
const LINE = '(?:^|\\n)[ \\t]*[^\\s#][^\\s]*(?:[ \\t\\r]+[^\\s#][^\\s]*)*';
/** With an operator, and a quote before and after it: `git=="2.50.0-r0"`. */
const WORD =
  '(?:^|[\\s"\'])[^\\s"\'`()\\\\=~<>]+[=~][^\\s"\'`()\\\\<>\\]]*(?:["\'][0-9][^\\s"\'`()\\\\<>\\]]*)?';
/** With its value, the name of a virtual package, which is no pin: `-t deps=1.0`. */
const VIRTUAL = '(?:^|\\s)(?:-[A-Za-z]*t|--virtual)[ \\t]+[^\\s]+';
/** The value is what follows `=`: `~1.2` of `=~1.2`. `pin` is everything after the name, with the tag if there is one. */
const PIN = `^[\\s"']?(?<depName>${NAME})(?<pin>(?:@${TAG})?={0,2}["']?(?<currentValue>(?:~=?)?${VERSION})(?:@${TAG})?)$`;

/** The packages of OpenWrt's image builder: `make image PACKAGES="luci-base=25.292.66247~75e41cb -dnsmasq"`. */
const ASSIGNMENT = `PACKAGES[ \\t]*(?:[:+?]?=|:)[ \\t]*["']`;
const MAY_HOLD_PACKAGES = `(?<file>[\\s\\S]*${ASSIGNMENT}[^"']*[=~][0-9][\\s\\S]*)$`;
const PACKAGES = `${PROSE}|(?:^|[\\s"'])${ASSIGNMENT}[^"']+["']`;
const REAL_PACKAGES = `^[\\s"']?(?<command>${ASSIGNMENT}[\\s\\S]*)$`;

/** The files that may call the image builder: the same as for commands. */
export function imageBuilderManagers(context: PresetContext): readonly PresetRule[] {
  const rule = (manager: PresetRule, levels: readonly string[]): PresetRule => ({
    ...manager,
    description: ["OpenWrt's image builder: PACKAGES"],
    matchStrings: [...levels, `${OTHER_INSTRUCTION}|${PACKAGES}`, REAL_PACKAGES, WORD, PIN],
    depTypeTemplate: 'apk',
  });
  return [
    rule(dockerfileManager(context), [`${COMMENTS}${MAY_HOLD_PACKAGES}`, STAGE, INSTRUCTION]),
    ...(context.statics ? [] : [rule(scriptManager(context), [`^${MAY_HOLD_PACKAGES}`, STATEMENT])]),
  ];
}

export function dockerfileManager(context: PresetContext): PresetRule {
  const { lookup, statics } = context;
  return {
    ...commandManager(context, contextParameters('dockerfile', ['options', 'from', stages('file')])),
    description: ['Dockerfile: apk add name=version'],
    managerFilePatterns: dockerfiles,
    matchStrings: [
      `${COMMENTS}(?<file>[ \\t]*[^#\\s]${HOLDS_PINS})$`,
      STAGE,
      INSTRUCTION,
      `${OTHER_INSTRUCTION}|${COMMAND}`,
      REAL_COMMAND,
      LINE,
      `${VIRTUAL}|${WORD}`,
      PIN,
    ],
    ...(statics && { registryUrlTemplate: staticDockerfileUrl(lookup.url, statics) }),
  };
}

export function scriptManager(context: PresetContext): PresetRule {
  return {
    ...commandManager(
      context,
      contextParameters('script', [
        'options',
        'packageFileDir',
        'packageFile',
        images('file'),
        changes('file'),
        'elsewhere',
      ]),
    ),
    description: ['Shell scripts and CI: apk add name=version'],
    managerFilePatterns: scripts,
    matchStrings: [
      `^(?<file>${MAY_HOLD_PINS})$`,
      STATEMENT,
      `${WRITTEN_INSTRUCTION}|${COMMAND}`,
      REAL_COMMAND,
      LINE,
      `${VIRTUAL}|${WORD}`,
      PIN,
    ],
  };
}

function commandManager({ datasource, lookup }: PresetContext, parameters: string): PresetRule {
  return {
    customType: 'regex',
    matchStringsStrategy: 'recursive',
    datasourceTemplate: datasource,
    // Neither has characters that would have to be encoded. `this` says that they are no helpers, which is cheaper.
    registryUrlTemplate: `${lookup.url}/-/for/{{{this.depName}}}?current={{{this.pin}}}${onlyParameter(lookup)}${parameters}`,
  };
}
