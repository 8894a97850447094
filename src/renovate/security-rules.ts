/**
 * Rules for updates that fix vulnerabilities. Renovate knows no vulnerabilities of apk packages, so the service's
 * answer has marks after the link to the changes (`answers/security.ts`), which rules see as text and people see
 * compiled: docs/advisories.md.
 */
import { FIXES, WITHDRAWAL } from './body-notes.ts';
import type { PresetRule } from './preset.ts';

/** `force` wins over rules that come later, such as those of a repository; `plain` does not. */
export type SecurityRules = 'force' | 'plain';

/** A branch of its own; a patch and a major version that both fix something get one each. */
const BRANCH = '{{{datasource}}}-{{{depNameSanitized}}}{{#if isMajor}}-{{{newMajor}}}.x{{/if}}-vulnerability';

export function securityRules(
  matchDatasources: readonly string[],
  rules: SecurityRules,
): readonly PresetRule[] {
  const set = (values: PresetRule): PresetRule => (rules === 'force' ? { force: values } : values);
  return [
    {
      description: ['The lowest version that fixes everything that can be fixed does not wait'],
      matchDatasources,
      // A new revision of a repackaged version is a digest; Renovate judges it without a release.
      matchJsonata: [
        '$contains($string(changelogUrl), "urgent \'" & (updateType = "digest" ? currentVersion : version) & "\'")',
      ],
      ...set({ minimumReleaseAge: null }),
    },
    {
      description: ['Updates that fix vulnerabilities come first, alone, with a label'],
      matchDatasources,
      matchJsonata: [
        '$contains($string(changelogUrl), "fixes \'" & ($exists(newDigest) ? newValue & "+" & newDigest : newVersion) & "\'")',
      ],
      ...set({
        isVulnerabilityAlert: true,
        groupName: null,
        schedule: ['at any time'],
        addLabels: ['security'],
        prPriority: 10,
        prCreation: 'immediate',
        commitMessageSuffix: '[SECURITY]',
        branchTopic: BRANCH,
        // Forced notes replace those of earlier rules.
        prBodyNotes: rules === 'force' ? [FIXES, WITHDRAWAL] : [FIXES],
      }),
    },
  ];
}
