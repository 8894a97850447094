/**
 * An APKINDEX of what is on offer: verified, merged over the repositories, coherent, and for `any` what all archs have.
 * It is made to be read, by Renovate's own `apk` datasource above all; packages cannot be installed by it, because it
 * does not tell their real identities and sizes. Names that packages provide with a version are records of their own,
 * since that datasource knows nothing of provides.
 */
import { createHash } from 'node:crypto';
import type { Catalog, VersionReport } from '../catalog/catalog.ts';

/** In place of an arch: what every arch of the datasource has. */
export const ANY_ARCH = 'any';

/** apk-package(5): what a package may be called. Other provided names (`so:`, `/bin/sh`) cannot be records. */
const PACKAGE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._+-]*$/;

/** Would end a line or change a terminal; no value with one is taken over. */
const CONTROL = /\p{Cc}/u;

/** Stanza by stanza and sorted by name, so that the same catalog always gives the same text. */
export function* virtualIndex(catalog: Catalog, arch: string): Generator<string> {
  const archs = arch === ANY_ARCH ? catalog.archs : [arch];
  if (CONTROL.test(arch)) return;
  for (const name of recordNames(catalog)) {
    for (const version of catalog.report(name, archs).versions) {
      if (version.offered) yield stanza(name, version, arch === ANY_ARCH ? 'noarch' : arch);
    }
  }
}

function recordNames(catalog: Catalog): readonly string[] {
  const names = new Set([...catalog.names()].filter((name) => PACKAGE_NAME.test(name)));
  for (const { packages } of catalog.sources) {
    for (const name of packages.providedNames()) if (PACKAGE_NAME.test(name)) names.add(name);
  }
  return [...names].sort();
}

function stanza(name: string, { version, releasedAt, chosen }: VersionReport, arch: string): string {
  const identity = createHash('sha1').update(`${name}=${version} for ${arch}`).digest('base64');
  const [origin, commit, url] = [chosen.package.origin, chosen.package.commit, chosen.package.url].map(
    (text) => (CONTROL.test(text) ? '' : text),
  );
  const fields: readonly (readonly [string, string | number | undefined])[] = [
    ['C', `Q1${identity}`],
    ['P', name],
    ['V', version],
    ['A', arch],
    ['S', 1],
    ['I', 1],
    ['T', origin || name],
    ['U', url || undefined],
    ['L', 'unknown'],
    ['o', origin || undefined],
    ['t', releasedAt],
    ['c', commit || undefined],
  ];
  const lines = fields.filter(([, value]) => value !== undefined).map(([key, value]) => `${key}:${value}\n`);
  return `${lines.join('')}\n`;
}
