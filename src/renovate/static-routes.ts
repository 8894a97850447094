/**
 * Routing without a service. An export is files, so the preset itself has to choose the datasource. It knows less than
 * the service and looks a pin up only if the datasource is certain: of Dockerfiles it reads only the stage's own FROM
 * line, without stages of stages, ARG defaults, tags or added repositories.
 */
import { CHANGES_KEPT, FROM_LINES } from '../routing/excerpt.ts';
import { alpineMirrors } from '../routing/known.ts';
import { candidatesOf, type Candidate, type RoutingSource } from '../routing/route.ts';
import { encoded, replaced } from './lookup-url.ts';

/** A file without an opinion; `noOpinionBody` explains its form. */
export const NO_OPINION = '-/no-opinion';
export const noOpinionFile = JSON.stringify({ releases: [], homepage: '' });

/** `{{#if …}}URL{{else}}…` for a pin of a Dockerfile. */
export function staticDockerfileUrl(url: string, sources: readonly RoutingSource[]): string {
  const image = replaced(
    '^[ \\t]*[Ff][Rr][Oo][Mm][ \\t]+(?:--[^\\s]+[ \\t]+)*([^\\s]+)[\\s\\S]*$',
    '$1',
    'from',
  );
  const branches = candidatesOf(sources).flatMap((each) => {
    const expression = imageExpression(each);
    if (expression === undefined) return [];
    return `{{else if (equals ${replaced(`^(?:${expression})(?:@sha256:[0-9a-f]+)?$`, 'yes', image)} "yes")}}${url}/${each.source.name}/${encoded('depName')}`;
  });
  const none = `${url}/${NO_OPINION}`;
  // Empty unless a stage changes its repositories: without FROM lines, and without the first letters of other files.
  const changes = replaced('/etc/apk/?[A-Za-z0-9_.-]', '', replaced(FROM_LINES, CHANGES_KEPT, 'file'));
  const untold = `(or (containsString pin "@") options (containsString from "dhi.io/") (containsString from "/dhi-") (containsString file "/etc/apk/repositories") ${changes})`;
  return `{{#if ${untold}}}${none}${branches.join('')}{{else}}${none}{{/if}}`;
}

/** For the images of a datasource; `undefined` if they are unknown. */
function imageExpression({ source, family, branch }: Candidate): string | undefined {
  const known = [
    ...source.images.map((pattern) => globExpression(/:[^/]*$/.test(pattern) ? pattern : `${pattern}:*`)),
    ...source.images.filter((pattern) => !/:[^/]*$/.test(pattern)).map(globExpression),
    ...(branch === undefined || branch === 'latest-stable' ? [] : alpineExpressions(escaped(branch))),
    ...(family === 'wolfi' ? ['(?:.*/)?wolfi-base(?::.*)?', 'ghcr[.]io/wolfi-dev/.*'] : []),
    ...(family === 'wolfi' || family === 'chainguard' ? ['(?:cgr[.]dev|chainguard)/.*'] : []),
  ];
  return known.length === 0 ? undefined : known.join('|');
}

function alpineExpressions(branch: string): readonly string[] {
  return [
    `(?:.*/)?alpine:${branch}(?:[.][0-9]+)?(?:[._-].*)?`,
    `.*:(?:[^/]*[._-])?alpine[-_]?${branch}(?:[._-][^/]*)?`,
  ];
}

/** JSONata: the datasource of `$plain`, `$tagged` and `$include`, or `""`. */
export function staticDefinitionRoute(sources: readonly RoutingSource[]): readonly string[] {
  const all = candidatesOf(sources).toSorted(
    (a, b) => a.source.repositories.length - b.source.repositories.length,
  );
  const listed = all.flatMap((each) => {
    const expression = repositoryExpression(each);
    if (expression === undefined) return [];
    return `$count($list[$not($contains($, /^(?:${expression})$/))]) = 0 ? "${each.source.name}"`;
  });
  const included = all.flatMap(({ source }) =>
    source.includes.map(
      (pattern) =>
        `$contains($include, /^(?:.*\\/)?${slashed(globExpression(pattern))}(?:@[^\\/]*)?$/) ? "${source.name}"`,
    ),
  );
  return [
    '  $place := function($address) { $replace($replace($address, /^https?:\\/\\/(?:[^@\\/]*@)?/, ""), /\\/+$/, "") };',
    `  $ofList := function($list) { $count($list) = 0 ? "" : ${[...listed, '""'].join(' : ')} };`,
    '  $lines := $lists[$type($) = "string"];',
    '  $plain := $map($lines[$not($contains($, /^@/))], $place);',
    '  $include := $type($includes[0]) = "string" ? $includes[0] : "";',
    `  $ofFile := $count($plain) > 0 ? $ofList([$plain]) : ${[...included, '""'].join(' : ')};`,
    '  $ofPin := function($tags) {(',
    '    $tag := $replace($tags, "@", "") & " ";',
    '    $tagged := $map($lines[$substring($, 0, $length($tag) + 1) = "@" & $tag], function($line) { $place($trim($substringAfter($line, " "))) });',
    '    $tags = "" ? $ofFile : $ofList([$tagged])',
    '  )};',
  ];
}

/** For its repositories; a datasource that mixes distributions is left to the service. */
function repositoryExpression({ ids, family }: Candidate): string | undefined {
  if (family === undefined && ids.some((id) => id.family !== undefined && id.family !== 'dhi'))
    return undefined;
  const branches = new Set(
    ids.flatMap(({ component, branch }) => (component === 'testing' ? [] : (branch ?? []))),
  );
  if (branches.size > 1) return undefined;
  const places = ids.flatMap(({ id }) => {
    if (id === 'wolfi') return ['packages.wolfi.dev/os'];
    const alpine = /^alpine:(.*)$/.exec(id)?.[1];
    return alpine === undefined ? [id] : alpineMirrors.map((mirror) => `${mirror}/${alpine}`);
  });
  return places.map((place) => slashed(escaped(place))).join('|');
}

function globExpression(pattern: string): string {
  return pattern.split('*').map(escaped).join('.*');
}

/** In brackets, because a template would need a doubled backslash. */
function escaped(text: string): string {
  return text.replace(/[.+?$|(){}*^[\]]/g, (character) =>
    '^]'.includes(character) ? `\\${character}` : `[${character}]`,
  );
}

function slashed(expression: string): string {
  return expression.replaceAll('/', '\\/');
}
