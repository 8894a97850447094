/** The cases of `test/fixtures/routing/`: files, the pins in them, and the datasource of each. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface RoutingCase {
  readonly name: string;
  /** One of `services`. */
  readonly service: string;
  /** What the case is about, for the table in docs/renovate.md. */
  readonly about: string;
  readonly files: Readonly<Record<string, string>>;
  /** By file: `curl=8.14.1-r2 alpine-3.22`, or `curl=8.14.1-r2 - the reason for which nobody is asked`. */
  readonly expected: Readonly<Record<string, readonly string[]>>;
}

export interface RoutingService {
  readonly datasources: readonly string[];
  readonly routing: Readonly<Record<string, object>>;
}

/** The configurations of the cases. A datasource of a mirror is known by its name, so the addresses do not matter. */
export const services: Readonly<Record<string, RoutingService>> = {
  several: {
    datasources: ['wolfi', 'alpine', 'alpine-3.22', 'alpine-3.24', 'alpine-edge'],
    routing: {
      wolfi: { images: ['ghcr.io/acme/base/*'], includes: ['wolfi-base.yaml'] },
      'alpine-3.22': { scripts: ['known.sh'] },
    },
  },
  one: { datasources: ['wolfi'], routing: {} },
  'unknown: ask': { datasources: ['wolfi'], routing: { wolfi: { unknown: 'ask' } } },
};

const folder = fileURLToPath(new URL('../fixtures/routing/', import.meta.url));

export function readCases(): readonly RoutingCase[] {
  const all = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as Omit<RoutingCase, 'files'>[];
  return all.map((each) => ({ ...each, files: filesBelow(join(folder, each.name)) }));
}

function filesBelow(path: string): Readonly<Record<string, string>> {
  const entries = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(paths.map((file) => [relative(path, file), readFileSync(file, 'utf8')]));
}

/** Why the pin is not looked up; `undefined` for one that is. */
export function notAskedOf(pin: string): string | undefined {
  return / - (.*)$/.exec(pin)?.[1];
}
