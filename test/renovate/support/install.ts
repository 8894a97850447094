/** Where `.ci/renovate` has put the real Renovate; outside the project's own dependencies, which stay small. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The version that every statement of the suite was observed with. */
export const renovateVersion = '44.121.2';

const modules = fileURLToPath(new URL('../../../.cache/renovate/node_modules/', import.meta.url));

/** The folder of Renovate's compiled sources. Throws when it is not installed: the suite skips nothing silently. */
export function renovateSources(): string {
  const manifest = `${modules}renovate/package.json`;
  if (!existsSync(manifest)) throw new Error('Renovate is not installed: run .ci/renovate');
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  if (version !== renovateVersion) throw new Error(`expected Renovate ${renovateVersion}, found ${version}`);
  return `${modules}renovate/dist/`;
}
