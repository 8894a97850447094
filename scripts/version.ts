/**
 * The version stands in package.json. What cannot read it there – recipes, manifests, examples – is listed here.
 *
 * usage: node scripts/version.ts           fails if a place names another version
 *        node scripts/version.ts --write   writes the version to all places and dates it in the changelog
 *
 * `npm version 0.2.0` runs the second, commits and tags.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** What stands in front of the version. Nothing else in a file may be preceded by it. */
const reference =
  /(?<=\bapk-beacon[:@=]|\bref: v|\bref=v|^ARG VERSION=|\bnewTag: )\d+\.\d+\.\d+(?:-[a-z]+\.\d+)?\b/gm;
/** apk writes a pre-release with an underscore: 1.0.0-rc.1 is 1.0.0_rc1. */
const recipe = /(?<=^package:\n {2}name: apk-beacon\n {2}version: )\S+/m;

/** Files with the version in them, and how it is found there. */
export const places: readonly (readonly [file: string, pattern: RegExp])[] = [
  ['Dockerfile', reference],
  ['apkontainer.yaml', /(?<=- apk-beacon=)\S+(?=-r\d+)/],
  ['deploy/apk/apk-beacon.yaml', recipe],
  ['compose.yaml', reference],
  ['deploy/github/renovate.yml', reference],
  ['deploy/gitlab/renovate.gitlab-ci.yml', reference],
  ['deploy/gitlab/export.gitlab-ci.yml', reference],
  ['deploy/kubernetes/kustomization.yaml', reference],
  ['README.md', reference],
  ['docs/operate.md', reference],
];

const isApk = (file: string): boolean => /^(apkontainer\.yaml|packages\/)/.test(file);

export function apkVersion(version: string): string {
  return version.replace(/-([a-z]+)\.(\d+)$/, '_$1$2');
}

/** The versions that a file names; at least one. */
export function versionsIn(file: string, pattern: RegExp, text: string): readonly string[] {
  const found = text.match(pattern);
  if (!found) throw new Error(`${file}: no version found`);
  return found;
}

export function withVersion(file: string, pattern: RegExp, text: string, version: string): string {
  versionsIn(file, pattern, text);
  return text.replace(pattern, isApk(file) ? apkVersion(version) : version);
}

/** `## Unreleased` becomes this version's; throws if nothing is unreleased. */
export function releasedChangelog(text: string, version: string, date: string): string {
  if (!/^## Unreleased\n\n(?:### .+\n\n)?- /m.test(text))
    throw new Error('CHANGELOG.md: nothing under ## Unreleased');
  return text.replace('## Unreleased', `## ${version} (${date})`);
}

export function packageVersion(): string {
  return (JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } });
  const version = packageVersion();
  if (values.write) {
    for (const [file, pattern] of places)
      writeFileSync(file, withVersion(file, pattern, readFileSync(file, 'utf8'), version));
    const today = new Date().toISOString().slice(0, 10);
    writeFileSync('CHANGELOG.md', releasedChangelog(readFileSync('CHANGELOG.md', 'utf8'), version, today));
  }
  for (const [file, pattern] of places) {
    const wrong = versionsIn(file, pattern, readFileSync(file, 'utf8')).find(
      (found) => found !== (isApk(file) ? apkVersion(version) : version),
    );
    if (wrong === undefined) continue;
    process.stderr.write(`${file} says ${wrong}, package.json ${version}\n`);
    process.exitCode = 1;
  }
}
