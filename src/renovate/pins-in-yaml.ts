/**
 * JSONata queries that find pins in apko and melange files. They look only where such files list packages, so no other
 * `name=1.0` of a repository is taken for a pin; comments, quotes, flow lists and several documents are YAML's business.
 */
import { addressMarks } from './routes.ts';
import type { PresetOptions, PresetSource } from './preset.ts';

/**
 * A package as apko reads it: `name`, an operator with a version, and a tag behind it; apk's world file has the tag in
 * front. Pins are those with `=`, `~` or `=~`: of the others (`>=2`) nothing is to be raised, and what apko does not
 * know (`~=`, `==`) it takes for any version.
 */
const PIN = '/^([^@=<>~!\\s]+)(@[a-zA-Z0-9]+)?(=~|=|~)([0-9][a-z0-9._-]*)(@[a-zA-Z0-9]+)?$/';

export function pinQuery(options: PresetOptions): string {
  return query('$document.**.contents.packages', '$exists($document.package) ? "melange" : "apko"', options);
}

export function runtimeQuery(options: PresetOptions): string {
  return query('$document.**.dependencies.runtime', '"melange-runtime"', options);
}

function query(places: string, depType: string, { url, sources }: PresetOptions): string {
  return [
    '$.(',
    '  $document := $;',
    `  $pin := ${PIN};`,
    `  $source := ${route(sources)};`,
    `  ${places}[$type($) = "string" and $contains($, $pin)].(`,
    `    $parts := $match($, $pin)[0].groups;`,
    '    $value := ($parts[2] = "=" ? "" : $parts[2]) & $parts[3];',
    '    {',
    '      "depName": $parts[0],',
    '      "currentValue": $value,',
    '      "datasource": "custom." & $source,',
    `      "depType": ${depType},`,
    `      "registryUrl": "${url}/" & $source & "/" & $encodeUrlComponent($parts[0]) & "?current=" & $encodeUrlComponent($value)`,
    '    }',
    '  )',
    ')',
  ].join('\n');
}

/** By the file's repositories, then by the name of the file it includes (`alpine.yaml`, `base/alpine-base.yaml`). */
function route(sources: readonly PresetSource[]): string {
  const [first, ...others] = sources;
  if (!first) throw new RangeError('a preset needs a datasource');
  if (others.length === 0) return `"${first.name}"`;
  const listed = sources.flatMap(({ name, ...source }) =>
    addressMarks({ name, ...source }).map((mark) => `$contains($repositories, "${mark}") ? "${name}"`),
  );
  const included = sources.map(
    ({ name }) => `$contains($included, /^(.*\\/)?${escaped(name)}([-_.\\/].*)?$/) ? "${name}"`,
  );
  return [
    '(',
    '    $lists := [$document.**.repositories, $document.**.build_repositories, $document.**.runtime_repositories];',
    '    $repositories := $join($lists[$type($) = "string"], " ");',
    '    $included := $string($document.include);',
    `    ${[...listed, ...included].join(' :\n    ')} :`,
    `    "${first.name}"`,
    '  )',
  ].join('\n');
}

function escaped(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
