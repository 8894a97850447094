/**
 * package.json has the version. Files that cannot read it from there (recipes, manifests, examples) are listed here.
 *
 * usage: node scripts/version.ts           fails if a file has another version
 *        node scripts/version.ts --write   writes the version to all files and to the changelog
 *
 * `npm version 0.2.0` runs the second command, commits and tags.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** The text before a version. It must precede nothing else in these files. */
const reference =
  /(?<=\bapk-beacon[:@=]|\bref: v|\bref=v|^ARG VERSION=|\bnewTag: )\d+\.\d+\.\d+(?:-[a-z]+\.\d+)?\b/gm;
/** apk writes pre-releases with an underscore: 1.0.0-rc.1 is 1.0.0_rc1. */
const recipe = /(?<=^package:\n {2}name: apk-beacon\n {2}version: )\S+/m;

/** The files that contain the version, with its pattern. */
export const places: readonly (readonly [file: string, pattern: RegExp])[] = [
  ['Dockerfile', reference],
  ['apkontainer.yaml', /(?<=- apk-beacon=)\S+(?=-r\d+)/],
  ['deploy/apk/apk-beacon.yaml', recipe],
  ['compose.yaml', reference],
  ['deploy/github/renovate.yml', reference],
  ['deploy/gitlab/renovate.gitlab-ci.yml', reference],
  ['deploy/gitlab/export.gitlab-ci.yml', reference],
  ['deploy/gitlab/check.gitlab-ci.yml', reference],
  ['.pre-commit-hooks.yaml', reference],
  ['action.yml', reference],
  ['deploy/kubernetes/kustomization.yaml', reference],
  ['README.md', reference],
  ['docs/operate.md', reference],
  ['docs/check.md', reference],
];

const isApk = (file: string): boolean => ['apkontainer.yaml', 'deploy/apk/apk-beacon.yaml'].includes(file);

export function apkVersion(version: string): string {
  return version.replace(/-([a-z]+)\.(\d+)$/, '_$1$2');
}

/** The versions in a file; at least one. */
export function versionsIn(file: string, pattern: RegExp, text: string): readonly string[] {
  const found = text.match(pattern);
  if (!found) throw new Error(`${file}: no version found`);
  return found;
}

export function withVersion(file: string, pattern: RegExp, text: string, version: string): string {
  versionsIn(file, pattern, text);
  return text.replace(pattern, isApk(file) ? apkVersion(version) : version);
}

/** Turns `## Unreleased` into the section of this version; throws if it is empty. */
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
