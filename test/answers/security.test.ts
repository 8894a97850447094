/** What an update fixes, by the name and the origin that each version has. */
import { describe, expect, test } from 'vitest';
import { Advisories } from '../../src/advisories/advisories.ts';
import { parseLookupQuery } from '../../src/answers/query.ts';
import {
  advisoriesInSteps,
  explainAdvisoriesInSteps,
  Security,
  securityMarks,
} from '../../src/answers/security.ts';
import { parseVersion, type Version } from '../../src/apk/version.ts';
import { finish, ITEMS_A_STEP } from '../../src/catalog/steps.ts';
import { osv, read } from '../advisories/support.ts';
import { catalog, releases } from '../support/catalogs.ts';
import { pkg, type Stanza } from '../support/signed-index.ts';

/** What is open at a pin, and what each newer version fixes. */
async function known(
  stanzas: readonly Stanza[],
  feed: Parameters<typeof osv>[0],
  [name, pin]: readonly [string, string],
): Promise<{ open: readonly string[]; fixed: Readonly<Record<string, readonly string[]>> }> {
  const report = catalog(stanzas).report(name);
  const security = new Security(new Advisories([await osv(feed)]), report);
  const query = parseLookupQuery({ current: pin }, report.archs);
  type Ids = readonly { id: string }[];
  const { open, versions } = finish(
    advisoriesInSteps(security, report, query, { pin, target: undefined }),
  ) as { open: Ids; versions: readonly { version: string; fixed: Ids }[] };
  const names = (ids: Ids): readonly string[] => ids.map(({ id }) => id);
  return {
    open: names(open),
    fixed: Object.fromEntries(versions.map(({ version, fixed }) => [version, names(fixed)])),
  };
}

describe('a version of another origin', () => {
  const stanzas = [pkg('app', '1.0-r0', { o: 'old' }), pkg('app', '2.0-r0', { o: 'new' })];

  test('fixes what is known to be fixed there', async () => {
    const feed = { old: { 'CVE-2099-1': ['0', '3-r0'] }, new: { 'CVE-2099-1': ['0', '2.0-r0'] } } as const;
    expect(await known(stanzas, feed, ['app', '1.0-r0'])).toEqual({
      open: ['CVE-2099-1'],
      fixed: { '2.0-r0': ['CVE-2099-1'] },
    });
  });

  test('fixes nothing that only a scanner found before', async () => {
    const feed = {
      old: { 'CVE-2099-1': ['0', { status: 'detection' }] },
      new: { 'CVE-2099-1': ['0', '2.0-r0'] },
    } as const;
    expect(await known(stanzas, feed, ['app', '1.0-r0'])).toEqual({ open: [], fixed: {} });
  });
});

test('many identifiers, each fixed in a version of its own, are compared in steps', async () => {
  const [count, newer] = [2000, 20];
  const secfixes = Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`1.${i + 1}-r0`, [`CVE-2099-${i + 10}`]]),
  );
  const feed = await read(JSON.stringify({ packages: [{ pkg: { name: 'linux', secfixes } }] }));
  const report = catalog(Array.from({ length: newer + 1 }, (_, i) => pkg('linux', `1.${i}-r0`))).report(
    'linux',
  );
  const query = parseLookupQuery({ current: '1.0-r0' }, report.archs);
  for (const work of [
    advisoriesInSteps(new Security(new Advisories([feed]), report), report, query, {
      pin: '1.0-r0',
      target: undefined,
    }),
    explainAdvisoriesInSteps(new Advisories([feed]), report, query),
  ]) {
    const steps = Array.from(work).length;
    expect(steps).toBeGreaterThan((count * newer) / ITEMS_A_STEP);
  }
});

test('the lowest stable version with a fix does not wait, whatever a pre-release fixes', async () => {
  const stanzas = ['1.0-r0', '1.1-r0', '1.2-r0', '1.3_rc1-r0'].map((version) => pkg('app', version));
  const feed = { app: { 'CVE-2099-1': ['0', '1.1-r0'], 'CVE-2099-2': ['0', '1.3_rc1-r0'] } } as const;
  const security = new Security(new Advisories([await osv(feed)]), catalog(stanzas).report('app'));
  const query = parseLookupQuery({ current: '1.0-r0' }, ['x86_64']);
  const listed = releases(catalog(stanzas), 'app', { current: '1.0-r0' });
  const from = parseVersion('1.0-r0') as Version;
  const { text, urgent } = finish(securityMarks(security, from, query, listed));
  expect(listed.map(({ version }) => version.text)).toContain('1.3_rc1-r0');
  expect(urgent).toEqual([{ version: '1.1-r0', ids: ['CVE-2099-1'] }]);
  expect(text).toContain("{{! fixes '1.3_rc1-r0' }}");
});

describe('a version that is only provided is that of its package', () => {
  const stanzas = [
    pkg('python-3.14', '3.14.6-r2', { p: 'python-3=0' }),
    pkg('python-3.11', '3.11.15-r2', { p: 'python-3=3.11.999' }),
  ];
  const feed = {
    'python-3.14': { 'CVE-2099-1': ['0', '3.14.7-r0'], 'CVE-2099-2': ['0', '3.14.5-r0'] },
    'python-3.11': { 'CVE-2099-1': ['0', '3.11.16-r0'], 'CVE-2099-2': ['0', '3.11.15-r0'] },
  } as const;

  test.each([
    ['an update that fixes nothing', '0', ['CVE-2099-1']],
    ['what is open', '3.11.999', ['CVE-2099-1']],
    ['nothing of one that is gone', '3.11.900', []],
  ])('%s', async (_, pin, open) => {
    expect(await known(stanzas, feed, ['python-3', pin])).toEqual({ open, fixed: {} });
  });

  test('an update that fixes something', async () => {
    const fixing = { ...feed, 'python-3.11': { 'CVE-2099-1': ['0', '3.11.15-r2'] } } as const;
    expect(await known(stanzas, fixing, ['python-3', '0'])).toEqual({
      open: ['CVE-2099-1'],
      fixed: { '3.11.999': ['CVE-2099-1'] },
    });
  });
});
