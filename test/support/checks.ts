/** Checks of files against catalogs made on the spot. */
import type { Advisories } from '../../src/advisories/advisories.ts';
import { Checker } from '../../src/check/checker.ts';
import { findingsOf, type CheckedFile, type Finding } from '../../src/check/findings.ts';
import { judgmentsOf, pinsToJudge } from '../../src/check/judge-together.ts';
import type { Judgment, Policy } from '../../src/check/judgment.ts';
import { Source } from '../../src/check/source.ts';
import { Catalog } from '../../src/catalog/catalog.ts';
import { readPins } from '../../src/pins/read.ts';
import type { RoutingSource } from '../../src/routing/route.ts';
import { catalogOf } from './catalogs.ts';
import { pkg, type Stanza } from './signed-index.ts';

/** Two days after everything was built. */
export const now = Date.UTC(2026, 10, 25);
const builtAt = `${now / 1000 - 2 * 86_400}`;

export function built(name: string, version: string, fields: Stanza = {}): Stanza {
  return pkg(name, version, { t: builtAt, ...fields });
}

/** Half a year old, with a newer one. */
const aged = [built('aged', '1.0-r0', { t: `${now / 1000 - 180 * 86_400}` }), built('aged', '1.1-r0')];

/** A catalog whose repository withdraws as Wolfi does. */
function collected(archs: Parameters<typeof catalogOf>[0]): Catalog {
  const { sources, archs: names } = catalogOf(archs);
  const policy = { kind: 'collected', age: 183 * 86_400_000, days: [12, 18] } as const;
  return new Catalog({
    sources: sources.map((source) => ({ ...source, withdrawal: { policy, asOf: now / 1000 } })),
    archs: names,
  });
}

/** What the pages of the rules are checked against. */
export const known: Readonly<Record<string, Catalog>> = {
  wolfi: collected({
    x86_64: [
      [
        ...['8.18.0-r0', '8.19.0-r0', '8.20.0-r0'].flatMap((version) => [
          built('curl', version),
          built('curl-dev', version, { D: `curl=${version}` }),
        ]),
        ...[built('skewed', '1.0-r0'), built('skewed', '1.1-r0'), built('etcd-3.6', '3.6.1-r0'), ...aged],
        ...[built('broken', '1.0-r0'), built('broken', '1.1-r0', { D: 'nowhere=1.0-r0' })],
        ...[
          built('needy', '1.0-r0', { D: 'curl' }),
          built('nodejs-24', '24.5.0-r1', { p: 'nodejs=24.5.0-r1' }),
        ],
      ],
    ],
    aarch64: [
      [
        ...['8.18.0-r0', '8.19.0-r0', '8.20.0-r0'].flatMap((version) => [
          built('curl', version),
          built('curl-dev', version, { D: `curl=${version}` }),
        ]),
        ...[built('skewed', '1.0-r0'), built('etcd-3.6', '3.6.1-r0'), ...aged],
        ...[built('broken', '1.0-r0'), built('broken', '1.1-r0', { D: 'nowhere=1.0-r0' })],
        ...[
          built('needy', '1.0-r0', { D: 'curl' }),
          built('nodejs-24', '24.5.0-r1', { p: 'nodejs=24.5.0-r1' }),
        ],
      ],
    ],
  }),
  'alpine-3.22': catalogOf({
    x86_64: [[built('curl', '8.14.1-r2'), built('git', '2.49.1-r0'), built('jq', '1.8.1-r0')]],
    aarch64: [[built('curl', '8.14.1-r2'), built('git', '2.49.1-r0'), built('jq', '1.8.1-r0')]],
  }),
};

export interface Checked {
  readonly files: readonly CheckedFile[];
  readonly judgments: readonly (readonly Judgment[])[];
  readonly findings: readonly Finding[];
}

/** By path, the texts of the files. */
export function checked(
  texts: Readonly<Record<string, string>>,
  {
    catalogs = known,
    policy = { within: 'major', minAge: 0 },
    routing = {},
    advisories,
  }: {
    readonly advisories?: Advisories;
    readonly catalogs?: Readonly<Record<string, Catalog>>;
    readonly policy?: Policy;
    readonly routing?: Partial<RoutingSource>;
  } = {},
): Checked {
  const files = Object.entries(texts).flatMap(([path, text]) => {
    const found = readPins(path, text, (include) => {
      const included = texts[include];
      return included === undefined ? undefined : { path: include, text: included };
    });
    return found ? [{ path, text, encoding: 'utf8' as const, found }] : [];
  });
  const names = Object.keys(catalogs);
  const checker = new Checker({
    sources: names.map((name) => new Source(name, catalogs[name] as Catalog, advisories)),
    routing: names.map((name) => ({
      ...{ name, repositories: ['http://127.0.0.1:1/mirror'], archs: ['x86_64', 'aarch64'] },
      ...{ images: [], includes: [], scripts: [], asksUnknown: false, ...routing },
    })),
    policy,
    now,
    built: new Set(files.flatMap(({ found }) => found.builds ?? [])),
  });
  const judgments = judgmentsOf(files, checker.judge(files.flatMap((file, i) => pinsToJudge(file, i))));
  return { files, judgments, findings: files.flatMap((file, i) => findingsOf(file, judgments[i] ?? [])) };
}

/** `line:column rule message`. */
export function shown({ findings }: Checked): readonly string[] {
  return findings.map(({ start, rule, message }) => `${start.line}:${start.column} ${rule}: ${message}`);
}
