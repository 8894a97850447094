/**
 * Notes in the text of a merge request. The service marks the link to the changes (`answers/security.ts`,
 * `answers/withdrawal-text.ts`), which Renovate puts into `references`.
 */

const IDENTIFIERS =
  "replace ',' ', ' (replace '^[\\s\\S]*#fixes=([A-Za-z0-9._,-]*)[\\s\\S]*$' '$1' references)";
const DATE_AND_RULE =
  "replace '^[\\s\\S]*#withdrawal=([0-9-]+),([a-z-]+)[\\s\\S]*$' '$1, by rule $2' references";

export const FIXES = `{{#if (containsString references '#fixes=')}}**Fixes** {{{${IDENTIFIERS}}}}{{/if}}`;

export const WITHDRAWAL =
  "{{#if (containsString references '#withdrawal=')}}`{{{depName}}}` `{{{currentValue}}}` is expected to be withdrawn " +
  `on or after {{{${DATE_AND_RULE}}}}.{{/if}}`;
