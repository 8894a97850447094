/**
 * What passes as an identifier. Identifiers reach merge requests, through a template that Renovate compiles, so nothing
 * but these characters ever leaves a feed.
 */
const IDENTIFIER = /^[A-Za-z][A-Za-z0-9._-]{2,63}$/;
/** Names of packages, as apk allows them. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}$/;

/** Several stand in one string (`CVE-2016-6258 XSA-182`), some with remarks behind them; plain words are none. */
export function idsIn(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => IDENTIFIER.test(word) && /[\d-]/.test(word));
}

export function isPackageName(text: unknown): text is string {
  return typeof text === 'string' && NAME.test(text);
}
