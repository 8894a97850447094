/** Optional rules on top of the preset. `renovate.example.json` shows them. */
import { pinsOf } from './answered-by.ts';
import { routedDatasource, type PresetRule } from './preset.ts';

/** Only the `-rN` differs. */
const IS_REVISION =
  "$exists(newValue) and $replace(currentValue, /-r[0-9]+$/, '') = $replace(newValue, /-r[0-9]+$/, '')";

export function policyRules(names: readonly string[]): readonly PresetRule[] {
  const matchDatasources = [...new Set([routedDatasource(names), ...names])].map((name) => `custom.${name}`);
  return [
    ...names.map((name) => ({
      description: [`One merge request for all of ${name}, once the versions are three days old`],
      ...pinsOf(name, names),
      groupName: `${name} packages`,
      minimumReleaseAge: '3 days',
    })),
    ...names.map((name) => ({
      description: ['Rebuilds of the same version merge by themselves'],
      ...pinsOf(name, names, IS_REVISION),
      groupName: `${name} rebuilds`,
      automerge: true,
    })),
    {
      description: [
        'A withdrawn version without a newer one breaks builds: rolled back at once, alone, and after a review',
      ],
      matchDatasources,
      matchUpdateTypes: ['rollback'],
      groupName: null,
      minimumReleaseAge: null,
      automerge: false,
    },
  ];
}
