/**
 * Pins of `apk add` in Dockerfiles and Containerfiles, found by regular expressions from the outside in: the stage,
 * which tells the base image, the command with its continuation lines, the lines that are no comments, the pins.
 * Renovate ≥ 44.103 finds them by itself but cannot pass the pin on to the service, so it is told not to.
 */
import { ANY_ALPINE, imageMark } from './routes.ts';
import type { PresetOptions, PresetRule, PresetSource } from './preset.ts';

/** A line that does not begin a stage; without look-ahead that is spelled out letter by letter. */
const OTHER_LINE = '(?:[^Ff\\n]|[Ff][^Rr\\n]|[Ff][Rr][^Oo\\n]|[Ff][Rr][Oo][^Mm\\n])[^\\n]*';
/** To the end of the line or the next command; continued lines may have comments between them. */
const COMMAND = '(?:^|[\\s;&|(])apk[ \\t](?:[^\\n;&|\\\\]|\\\\\\r?\\n(?:[ \\t]*#[^\\n]*\\n)*|\\\\[^\\r\\n])*';
const CODE_LINE = '(?:^|\\n)[ \\t]*[^#\\s][^\\n]*';
const PIN =
  '(?:^|[\\s"\'])(?<depName>[a-zA-Z0-9][^@=<>~!\\s"\']*)(?:@[a-zA-Z0-9._-]+)?(?<operator>=~|~=|=|~)(?<version>[0-9][a-z0-9._-]*)';
const OPERATOR = '{{#unless (equals operator "=")}}{{encodeURIComponent operator}}{{/unless}}';

export function dockerfileManager({ url, sources }: PresetOptions): PresetRule {
  const routes = routesOf(sources);
  const source = template(routes, sources[0]?.name ?? '');
  return {
    description: ['Dockerfile: apk add name=version'],
    customType: 'regex',
    managerFilePatterns: ['/(^|/|\\.)([Dd]ocker|[Cc]ontainer)file([^/]*)$/'],
    matchStringsStrategy: 'recursive',
    matchStrings: [...(routes.length > 0 ? [stage(routes)] : []), COMMAND, CODE_LINE, PIN],
    datasourceTemplate: `custom.${source}`,
    depTypeTemplate: 'dockerfile',
    currentValueTemplate: `${OPERATOR.replace('encodeURIComponent ', '')}{{version}}`,
    registryUrlTemplate: `${url}/${source}/{{encodeURIComponent depName}}?current=${OPERATOR}{{version}}`,
  };
}

interface Route {
  /** Name of the capture group that is set when the base image is one of its. */
  readonly group: string;
  readonly images: string;
  readonly source: string;
}

function routesOf(sources: readonly PresetSource[]): readonly Route[] {
  if (sources.length < 2) return [];
  const marked = sources.flatMap((source) => {
    const images = imageMark(source);
    return images === undefined ? [] : [{ source: source.name, images }];
  });
  const alpine = marked.find(({ images }) => images.startsWith(ANY_ALPINE));
  return [...marked, ...(alpine ? [{ ...alpine, images: ANY_ALPINE }] : [])].map((route, i) => ({
    ...route,
    group: `route${i}`,
  }));
}

function stage(routes: readonly Route[]): string {
  const images = routes.map(({ group, images: mark }) => `(?<${group}>${mark})`).join('|');
  return (
    `(?:^|\\n)[Ff][Rr][Oo][Mm][ \\t]+(?:--[^\\s]+[ \\t]+)*(?:[^\\s]*?(?:${images}))?[^\\n]*` +
    `(?:\\n+${OTHER_LINE})*`
  );
}

function template(routes: readonly Route[], fallback: string): string {
  if (routes.length === 0) return fallback;
  const branches = routes.map(({ group, source }, i) => `{{#${i > 0 ? 'else ' : ''}if ${group}}}${source}`);
  return `${branches.join('').replaceAll('{{#else', '{{else')}{{else}}${fallback}{{/if}}`;
}
