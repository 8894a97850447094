/** The configuration of a repository that uses a service's preset. */
import { readFileSync } from 'node:fs';

/** One line, as the README says. */
export function extending(url: string, more: object = {}): string {
  return JSON.stringify({ extends: [`${url}/renovate.json`], ...more });
}

/** `renovate.example.json`, but for another address. */
export function exampleFor(url: string): string {
  const text = readFileSync(new URL('../../../renovate.example.json', import.meta.url), 'utf8');
  return text.replaceAll('http://apk-beacon:3000', url);
}

/**
 * What an administrator sets so that Renovate may ask a service on an internal address once it refuses those by
 * default. A host name alone does not do for presets: it has to be the beginning of the address.
 */
export function allowInternal(url: string): Readonly<Record<string, string>> {
  return {
    RENOVATE_HOST_RULES: JSON.stringify([{ matchHost: `${url}/`, allowInternal: true }]),
    RENOVATE_INTERNAL_HOST_ACCESS: 'block',
  };
}
