/**
 * JSONata queries that find pins in apko, melange and Docker Hardened Images files. They only look where such files
 * list packages, so other text such as `name=1.0` is not a pin. YAML handles comments, quotes, flow lists and several
 * documents. A query sees neither the path of the file nor other files.
 *
 * `[a,b][p].(…)` iterates over the characters of a single string, so lists are assigned first.
 */
import { MAX_CONTEXT } from '../routing/excerpt.ts';
import { NAME, OPERATOR, TAG, VERSION } from './grammar.ts';
import { onlyParameter, type LookupUrl } from './lookup-url.ts';
import type { PresetContext } from './preset.ts';
import { NO_OPINION, staticDefinitionRoute } from './static-routes.ts';

/** apko writes the tag after the version, apk before it. `>=2` is not a pin. */
const PIN = `/^(${NAME})(@${TAG})?(${OPERATOR})(${VERSION})(@${TAG})?$/`;

/** Packages of images, build environments, tests and build stages, and the needs of pipelines. */
export function pinQuery(context: PresetContext): string {
  return query(
    '[$document.**.contents.packages, $document.**.needs.packages]',
    '$exists($document.package) ? "melange" : "apko"',
    context,
  );
}

export function runtimeQuery(context: PresetContext): string {
  return query('[$document.**.dependencies.runtime]', '"melange-runtime"', context);
}

/**
 * A definition of Docker's repeats the version of a pin in `vars.VERSION`, with or without its revision. As a
 * dependency of the same name it is updated in the same merge request.
 */
export function hardenedVersionQuery(context: PresetContext): string {
  return [
    ...preamble(context),
    '  $places := [$document.contents.packages];',
    '  $version := $string($document.vars.VERSION);',
    '  $pins := $places[$type($) = "string" and $contains($, $pin)].($match($, $pin)[0]);',
    '  $whole := $pins[groups[2] in ["=", "=="] and groups[3] = $version];',
    '  $bare := $pins[groups[2] in ["=", "=="] and $replace(groups[3], /-r[0-9]+$/, "") = $version];',
    '  $repeated := $exists($whole) ? $whole[0] : $bare[0];',
    '  $exists($repeated) ? {',
    '    "depName": $repeated.groups[0],',
    '    "currentValue": $version,',
    `    "datasource": "${context.datasource}",`,
    '    "depType": "apko",',
    '    "registryUrl": $address($repeated.groups[0], $version, $repeated.groups[1] & $repeated.groups[4])',
    '      & ($exists($whole) ? "" : "&strip=revision&revision=" & $substringAfter($repeated.groups[3], "-r"))',
    '  } : []',
    ')',
  ].join('\n');
}

function query(places: string, depType: string, context: PresetContext): string {
  return [
    ...preamble(context),
    `  $places := ${places};`,
    '  $places[$type($) = "string" and $contains($, $pin)].(',
    '    $parts := $match($, $pin)[0].groups;',
    '    $value := ($parts[2] in ["=", "=="] ? "" : $parts[2]) & $parts[3];',
    '    {',
    '      "depName": $parts[0],',
    '      "currentValue": $value,',
    `      "datasource": "${context.datasource}",`,
    `      "depType": ${depType},`,
    '      "registryUrl": $address($parts[0], $value, $parts[1] & $parts[4])',
    '    }',
    '  )',
    ')',
  ].join('\n');
}

/** The address of each pin has the context from its file. */
function preamble({ lookup, statics }: PresetContext): readonly string[] {
  return [
    '$.(',
    '  $document := $;',
    `  $pin := ${PIN};`,
    '  $lists := [$document.**.repositories, $document.**.build_repositories, $document.**.runtime_repositories];',
    '  $repositories := $encodeUrlComponent($join($distinct($lists[$type($) = "string"]), "\\n"));',
    '  $includes := [$document.include];',
    '  $platforms := [$document.archs, $document.platforms, $document.package."target-architecture"];',
    ...(statics ? [...staticDefinitionRoute(statics), ...staticAddress(lookup.url)] : routedAddress(lookup)),
  ];
}

function routedAddress(lookup: LookupUrl): readonly string[] {
  return [
    `  $context := $length($repositories) > ${MAX_CONTEXT} ? "&kind=cut" : "&kind=definition&repositories=" & $repositories`,
    '    & ($type($includes[0]) = "string" ? "&include=" & $encodeUrlComponent($substring($includes[0], 0, 300)) : "")',
    '    & "&archs=" & $encodeUrlComponent($substring($join($platforms[$type($) = "string"], ","), 0, 300));',
    '  $address := function($name, $value, $tags) {',
    `    "${lookup.url}/-/for/" & $encodeUrlComponent($name) & "?current=" & $encodeUrlComponent($value) & "${onlyParameter(lookup)}" & $context`,
    '      & ($tags = "" ? "" : "&tag=" & $encodeUrlComponent($replace($tags, "@", "")))',
    '  };',
  ];
}

function staticAddress(url: string): readonly string[] {
  return [
    '  $address := function($name, $value, $tags) {(',
    '    $datasource := $ofPin($tags);',
    `    "${url}/" & ($datasource = "" ? "${NO_OPINION}" : $datasource & "/" & $encodeUrlComponent($name) & "?current=" & $encodeUrlComponent($value))`,
    '  )};',
  ];
}
