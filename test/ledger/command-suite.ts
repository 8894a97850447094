/** `apk-beacon ledger`, whatever database the ledger is in. */
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { ledgerCommand } from '../../src/cli/ledger.ts';
import { errorLine } from '../../src/errors.ts';
import { exportLines } from '../../src/ledger-store/transfer.ts';
import { writeConfig } from '../support/service.ts';
import type { Stanza } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { built, DAY, Observer, START, wolfi, type Store } from './observer.ts';

/** The last line of an export. */
const end = '{"end":true}\n';

const old = built('curl', '8.0-r0', START - 30 * DAY);
const later = built('curl', '8.1-r0', START - 9 * DAY);

type Stored = Observer & { readonly store: Store };

export function ledgerCommandSuite(makeStore: () => Promise<Store>): void {
  /** An observer that has seen these packages, each some days after the start. */
  const observer = async (...seen: readonly (readonly [day: number, Stanza[]])[]): Promise<Stored> => {
    const store = await makeStore();
    const one = Object.assign(new Observer({ folder: await temporaryDirectory(), store }), { store });
    for (const [day, stanzas] of seen) {
      one.now = START + day * DAY;
      await one.see(stanzas);
    }
    return one;
  };

  describe('apk-beacon ledger', () => {
    test('an export that is imported elsewhere is exported there as it was', async () => {
      const one = await observer([0, [old]], [1, [old, later]], [2, [later]]);
      await one.ledger.close();
      const exported = (await run(one.store, 'export')).output;
      expect(exported.split('\n')).toHaveLength(1 + 1 + 3 + 2 + 1 + 1);
      const other = await makeStore();
      expect((await run(other, 'import', exported)).output).toBe(
        'indexes added: 1; packages with an earlier date: 0\n',
      );
      expect((await run(other, 'export')).output).toBe(exported);
      expect(await run(other, 'verify')).toEqual({ code: 0, output: 'the ledger is sound\n' });
    });

    test('a name with a line separator of Unicode is exported and imported, too', async () => {
      const one = await observer([0, [old, built('odd\u2028name', '1\u2029-r0', START)]]);
      await one.ledger.close();
      const exported = (await run(one.store, 'export')).output;
      expect(exported).toContain('odd\u2028name');
      const other = await makeStore();
      expect((await run(other, 'import', exported)).output).toContain('indexes added: 1');
      expect((await run(other, 'export')).output).toBe(exported);
    });

    test('an export while the service writes has the packages of its generations', async () => {
      const one = await observer([0, [old]]);
      const before = (await run(one.store, 'export')).output;
      one.now += DAY;
      const lines: string[] = [];
      for await (const line of exportLines(await one.store.open())) {
        lines.push(`${line}\n`);
        if (line.includes('generation')) await one.see([later]);
      }
      expect(lines.join('')).toBe(before);
      await one.ledger.close();
    });

    test('an import into a ledger takes the earlier dates', async () => {
      const one = await observer([0, [old]], [3, [old, later]]);
      const other = await observer([0, [old]], [1, [old, later]]);
      expect(await importInto(one, other)).toBe('indexes added: 0; packages with an earlier date: 1\n');
      one.now += DAY;
      expect(await one.see([old, later, built('x', '1', 0)])).toMatchObject({ 'curl-8.1-r0': 1, 'x-1': 4 });
    });

    test('an import from a ledger that began later does not make older what this one saw appear', async () => {
      const one = await observer([0, [old]], [2, [old, later]]);
      const other = await observer([1, [old, later]]);
      expect(await other.see([old, later])).toMatchObject({ 'curl-8.1-r0': -9 });
      await importInto(one, other);
      one.now += DAY;
      // It was there when the other ledger began.
      expect(await one.see([old, later])).toEqual({ 'curl-8.0-r0': -30, 'curl-8.1-r0': 1 });
      await one.ledger.close();
    });

    test('an import from a ledger that saw a package vanish makes it no older: its absence does not count', async () => {
      const one = await observer([0, [old]], [8, [old, later]]);
      const other = await observer([0, [old]], [0.25, [old, later]], [0.5, [old]]);
      await importInto(one, other);
      expect(await one.see([old, later])).toMatchObject({ 'curl-8.1-r0': 8 });
      await one.ledger.close();
    });

    test('a broken import changes nothing and names the line', async () => {
      const one = await observer([0, [old]]);
      await one.ledger.close();
      const exported = (await run(one.store, 'export')).output;
      const other = await makeStore();
      const broken = exported.replace(end, '{"package":[1]}\n');
      const failed = await run(other, 'import', broken).catch(errorLine);
      expect(failed).toMatch(/^line 5: package: .*expected array to have >=8 items/);
      await expect(run(other, 'import', '')).rejects.toThrow('the input is empty');
      expect((await run(other, 'export')).output).toBe(`{"ledger":1}\n${end}`);
    });

    test('an import of a part of an export changes nothing, wherever it was cut', async () => {
      const one = await observer();
      await one.see([old]);
      one.now += DAY;
      await one.see([old, later]);
      await one.ledger.close();
      const lines = (await run(one.store, 'export')).output.trimEnd().split('\n');
      const other = await makeStore();
      for (let count = 1; count < lines.length; count += 1)
        await expect(run(other, 'import', lines.slice(0, count).join('\n'))).rejects.toThrow('incomplete');
      const twice = [...lines, ...lines].join('\n');
      await expect(run(other, 'import', twice).catch(errorLine)).resolves.toMatch(
        `line ${lines.length + 1}: expected nothing after the end`,
      );
      expect((await run(other, 'export')).output).toBe(`{"ledger":1}\n${end}`);
    });

    test.each([
      ['an identity that is too short', 2, { base64: 'AAAA' }],
      ['an identity as text', 2, 'Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA='],
      ['a date in milliseconds', 4, START * 1000],
      ['a date that is negative', 4, -START],
      ['a date as text', 4, '2026-07-24'],
    ])('an import of %s is refused', async (_, column, value) => {
      const one = await observer([0, [old]]);
      await one.ledger.close();
      const [header, index, generation, package_ = ''] = (await run(one.store, 'export')).output.split('\n');
      const { package: values } = JSON.parse(package_) as { package: readonly unknown[] };
      const changed = JSON.stringify({ package: values.with(column, value) });
      const input = [header, index, generation, changed].join('\n');
      const failed = await run(await makeStore(), 'import', input).catch(errorLine);
      expect(failed).toMatch(new RegExp(`^line 4: package: ${column}: `));
    });

    test('show writes what there was, and when', async () => {
      const one = await observer([0, [old]], [1, [old, later]]);
      await one.ledger.close();
      const lines = async (words: string, more: object = {}): Promise<readonly unknown[]> =>
        (await run(one.store, words, '', more)).output
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as unknown);
      const index = { index: wolfi.location, arch: 'x86_64' };
      const common = { ...index, signer: 'test.rsa.pub', digest: expect.any(String) as string };
      const first = { ...common, generation: 1, seenAt: '2026-07-24T06:00Z', packages: 1 };
      const second = { ...common, generation: 2, seenAt: '2026-07-25T06:00Z', packages: 2 };
      const curl = {
        ...{ name: 'curl', version: '8.0-r0', arch: 'x86_64', identity: old['C'] },
        ...{ builtAt: '2026-06-24T06:00Z', releasedAt: '2026-06-24T06:00Z' },
      };
      const newer = {
        ...{ name: 'curl', version: '8.1-r0', arch: 'x86_64', identity: later['C'] },
        ...{ builtAt: '2026-07-15T06:00Z', releasedAt: '2026-07-25T06:00Z' },
      };
      expect(await lines('show')).toEqual([first, second]);
      expect(await lines('show', { generation: '1' })).toEqual([first, curl]);
      expect(await lines('show', { at: '2026-07-25T07:59:59+02:00' })).toEqual([first, curl]);
      expect(await lines('show', { at: '2026-07-25T08:00+02:00' })).toEqual([second, curl, newer]);
      expect(await lines('show wolfi x86_64', { generation: '2' })).toEqual([second, curl, newer]);
      expect(await lines('show wolfi aarch64', { generation: '2' })).toEqual([]);
      const begins = { ...index, begins: '2026-07-24T06:00Z' };
      expect(await lines('show', { at: '2026-07-24' })).toEqual([begins]);
      expect(await lines('show', { generation: '3' })).toEqual([begins]);
      expect((await run(one.store, 'show', '', { at: '2026-07-24' })).code).toBe(1);
    });

    test.each([
      ['show other', {}, 'unknown datasource other, expected one of wolfi'],
      ['show constructor', {}, 'unknown datasource constructor, expected one of wolfi'],
      ['show wolfi x86_64 more', {}, 'usage: ledger show'],
      ['verify', { at: '2026-07-24' }, 'usage: ledger verify'],
      ['export wolfi', {}, 'usage: ledger export'],
      ['show', { at: 'yesterday' }, '--at: expected a time with its zone'],
      ['show', { at: '9999-12-31' }, '--at: 9999-12-31T00:00Z is in the future'],
      ['show', { generation: '0' }, '--generation: expected a number'],
      ['show', { at: '2026-07-24', generation: '1' }, 'expected one of them'],
    ])('%s with %j is refused', async (words, more, reason) => {
      const store = await makeStore();
      await run(store, 'import', `{"ledger":1}\n${end}`);
      await expect(run(store, words, '', more)).rejects.toThrow(reason);
    });

    test.each(['verify', 'export', 'show'])(
      '%s where no ledger is says so and makes none',
      async (action) => {
        const store = await makeStore();
        for (let i = 0; i < 2; i += 1) await expect(run(store, action)).rejects.toThrow('there is no ledger');
      },
    );

    test('verify reports inconsistencies', async () => {
      const one = await observer([0, [old, later]]);
      const database = await one.ledger.database();
      await database?.transaction((query) =>
        query('DELETE FROM ledger_package WHERE version = ?', ['8.1-r0']),
      );
      await one.ledger.close();
      const { code, output } = await run(one.store, 'verify');
      expect(code).toBe(1);
      expect(output).toContain('generation 1 had 2 packages, but the ledger has 1');
    });
  });
}

/** Imports the ledger of `other` into that of `one`, which restarts. Returns what the import reports. */
async function importInto(one: Stored, other: Stored): Promise<string> {
  await Promise.all([one.ledger.close(), other.ledger.close()]);
  const { output } = await run(one.store, 'import', (await run(other.store, 'export')).output);
  await one.restart();
  return output;
}

export async function run(
  store: Store,
  words: string,
  input = '',
  more: object = {},
): Promise<{ code: number; output: string }> {
  const datasources = { wolfi: { repositories: ['https://packages.wolfi.dev/os'] } };
  const { cacheDir, ...keys } = store.config;
  const config = await writeConfig(await temporaryDirectory(), {
    config: { datasources, ...keys },
    ...(cacheDir !== undefined && { cacheDir }),
  });
  const output = new PassThrough();
  const told = text(output);
  const code = await ledgerCommand(words.split(' '), config, {
    input: Readable.from([input]),
    output,
    ...more,
  });
  output.end();
  return { code, output: await told };
}
