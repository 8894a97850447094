/** The expressions of the preset, as Renovate applies them: each within the match of the one before. */
import { renovatePreset } from '../../src/renovate/preset.ts';

/** Of the managers with this in their description. */
export function levelsOf(description: string): readonly (readonly string[])[] {
  return renovatePreset({ url: 'http://x', names: ['openwrt'], isPart: false })
    .customManagers.filter((manager) => String(manager['description']).includes(description))
    .map(({ matchStrings }) => matchStrings as string[]);
}

/** The groups of each match of the last expression, with those of the outer ones. */
export function groupsFound(
  levels: readonly string[],
  text: string,
  outer: Readonly<Record<string, string>> = {},
): readonly Readonly<Record<string, string>>[] {
  const [level, ...inner] = levels;
  if (level === undefined) return [outer];
  return [...text.matchAll(new RegExp(level, 'g'))].flatMap((match) =>
    groupsFound(inner, match[0], { ...outer, ...match.groups }),
  );
}
