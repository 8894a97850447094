/**
 * The form of an identifier. Identifiers reach merge requests through a template that Renovate compiles, so only
 * these characters are allowed.
 */
const IDENTIFIER = /^[A-Za-z][A-Za-z0-9._-]{2,63}$/;
/** Names of packages, as apk allows them. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}$/;

/**
 * The identifiers in a string such as `CVE-2016-6258 XSA-182`, which may also contain commas and remarks; plain words
 * are not identifiers.
 */
export function idsIn(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((word) => IDENTIFIER.test(word) && /[\d-]/.test(word));
}

export function isPackageName(text: unknown): text is string {
  return typeof text === 'string' && NAME.test(text);
}
