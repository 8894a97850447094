/** Examples of answers and parameters in docs/http.md are those of the service. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { lookupParameters } from '../../src/answers/query.ts';
import { startUpstream } from '../support/repository-server.ts';
import { startService } from '../support/service.ts';
import { pkg, signedIndex } from '../support/signed-index.ts';

const page = await readFile('docs/http.md', 'utf8');
const examples = [...page.matchAll(/^( *)```json\n(.*?)^\1```/gms)].map(
  ([, , text = '']) => JSON.parse(text) as Record<string, unknown>,
);

test('the table of parameters has those of each lookup', () => {
  const rows = [...page.matchAll(/^\| `(\w+)(?:=[^`]*)?` +\| ([^|]+?) +\|/gm)];
  const routes = Object.keys(lookupParameters).map((route) => route.replace('.svg', ''));
  const isFor = (where: string, route: string): boolean =>
    where.startsWith('all lookups') ? !where.endsWith(`but ${route}`) : where.split(', ').includes(route);
  const written = routes.map((route) =>
    rows.flatMap(([, name, where = '']) => (isFor(where, route) ? [name] : [])),
  );
  expect(written.map((names) => names.toSorted())).toEqual(
    Object.values(lookupParameters).map((names) => names.toSorted()),
  );
});

/** Built at this time. */
const built = (name: string, version: string, at: string) =>
  pkg(name, version, { t: String(Date.parse(at) / 1000) });

test('examples of explanations', async () => {
  await using upstream = await startUpstream();
  const index = [
    built('curl', '8.0-r0', '2026-01-01'),
    built('curl', '8.1-r0', '2026-07-21T06:00Z'),
    built('jq', '8.18.0-r1', '2026-02-01'),
    built('jq', '8.20.0-r0', '2026-07-01'),
  ];
  upstream.serve('x86_64', await signedIndex(index));
  const withdrawal = { age: '184d', days: [13, 23] };
  const wolfi = { archs: ['x86_64'], repositories: [{ url: upstream.url, withdrawal }] };
  await using service = await startService({
    config: { datasources: { wolfi } },
    now: () => Date.parse('2026-07-24T06:00Z'),
  });
  await service.beacon.refreshOnce(new AbortController().signal);
  const { younger } = (await service.get('/wolfi@7d/curl/explain')).json<{ younger: object[] }>();
  const { versions } = (await service.get('/jq/explain')).json<{ versions: object[] }>();
  expect(examples).toEqual([{ younger }, expect.anything()]);
  expect(versions).toContainEqual(expect.objectContaining(examples[1] ?? {}));
});

test('the answer for a name without a version that is old enough has the fields of the example', async () => {
  await using upstream = await startUpstream();
  upstream.serve('x86_64', await signedIndex([built('curl', '8.1-r0', '2026-07-21T06:00Z')]));
  await using service = await startService({
    config: { datasources: { wolfi: { archs: ['x86_64'], repositories: [upstream.url] } } },
    now: () => Date.parse('2026-07-24T06:00Z'),
  });
  await service.beacon.refreshOnce(new AbortController().signal);
  const { body } = await service.get('/wolfi@7d/curl');
  expect(page).toContain(`\`${body.replace(/:"[^"]*"/g, ':…')}\``);
});
