/** Rules on top of the preset that are a matter of taste; `renovate.example.json` shows them. */
import type { PresetRule, PresetSource } from './preset.ts';

/** Is only the `-rN` another? */
const IS_REVISION = "$replace(currentValue, /-r[0-9]+$/, '') = $replace(newValue, /-r[0-9]+$/, '')";

export function peopleRules(sources: readonly PresetSource[]): readonly PresetRule[] {
  const matchDatasources = sources.map(({ name }) => `custom.${name}`);
  return [
    ...sources.map(({ name }) => ({
      description: [`One merge request for all of ${name}, once the versions are three days old`],
      matchDatasources: [`custom.${name}`],
      groupName: `${name} packages`,
      minimumReleaseAge: '3 days',
    })),
    ...sources.map(({ name }) => ({
      description: ['Rebuilds of the same version merge by themselves'],
      matchDatasources: [`custom.${name}`],
      matchJsonata: [`$exists(newValue) and ${IS_REVISION}`],
      groupName: `${name} rebuilds`,
      automerge: true,
    })),
    {
      description: ['A withdrawn version without a newer one breaks builds: at once, alone, and looked at'],
      matchDatasources,
      matchUpdateTypes: ['rollback'],
      groupName: null,
      minimumReleaseAge: null,
      automerge: false,
    },
  ];
}
