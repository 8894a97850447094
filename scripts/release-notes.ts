/**
 * Prints the section of a version in CHANGELOG.md; fails if there is none.
 *
 * usage: node scripts/release-notes.ts [VERSION]   by default the version of package.json
 */
import { readFileSync } from 'node:fs';
import { packageVersion } from './version.ts';

/** The section `## VERSION` or `## VERSION (DATE)` without its heading. */
export function releaseNotes(changelog: string, version: string): string {
  const section = changelog
    .split(/^## /m)
    .find((each) => each.startsWith(`${version}\n`) || each.startsWith(`${version} (`));
  const notes = section?.replace(/^.*\n/, '').trim() ?? '';
  if (notes === '') throw new Error(`CHANGELOG.md: no notes for ${version}`);
  return `${notes}\n`;
}

if (import.meta.main) {
  const version = process.argv[2] ?? packageVersion();
  try {
    process.stdout.write(releaseNotes(readFileSync('CHANGELOG.md', 'utf8'), version));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
