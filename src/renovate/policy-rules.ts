/** Rules on top of the preset that are a matter of taste; `renovate.example.json` shows them. */
import { answeredBy } from './answered-by.ts';
import { routedDatasource, type PresetRule } from './preset.ts';

/** Is only the `-rN` another? */
const IS_REVISION =
  "$exists(newValue) and $replace(currentValue, /-r[0-9]+$/, '') = $replace(newValue, /-r[0-9]+$/, '')";

export function peopleRules(names: readonly string[]): readonly PresetRule[] {
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
      description: ['A withdrawn version without a newer one breaks builds: at once, alone, and looked at'],
      matchDatasources,
      matchUpdateTypes: ['rollback'],
      groupName: null,
      minimumReleaseAge: null,
      automerge: false,
    },
  ];
}

/** Of one datasource: by its name, or by the mark of the service's answer where the service has chosen it. */
function pinsOf(name: string, names: readonly string[], condition?: string): PresetRule {
  const own = { matchDatasources: [`custom.${name}`] };
  if (names.length === 1) return condition === undefined ? own : { ...own, matchJsonata: [condition] };
  const isItsPin = `(datasource = "custom.${name}" or $contains($string(changelogUrl), "${answeredBy(name)}"))`;
  return { matchJsonata: [condition === undefined ? isItsPin : `${isItsPin} and ${condition}`] };
}
