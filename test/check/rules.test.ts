/** The page of each rule: the bad example breaks the rule, the good one does not, and neither breaks a worse rule. */
import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compareLevels, levelOf, rules } from '../../src/check/rules.ts';
import { Advisories } from '../../src/advisories/advisories.ts';
import { read } from '../advisories/support.ts';
import { checked } from '../support/checks.ts';

const curl = { name: 'curl', secfixes: { '8.20.0-r0': ['CVE-2099-0001'] } };
const advisories = new Advisories([await read(JSON.stringify({ packages: [{ pkg: curl }] }))]);

test('every rule has a page, and every page a rule', () => {
  const pages = readdirSync('docs/rules').filter((file) => file !== 'README.md');
  expect(pages.map((file) => file.replace('.md', '')).sort()).toEqual(rules.map(({ id }) => id).sort());
});

describe.each(rules)('docs/rules/$id.md', ({ id, level }) => {
  const page = readFileSync(`docs/rules/${id}.md`, 'utf8');
  const example = (word: string): Readonly<Record<string, string>> => {
    const [, file = '', text = ''] =
      new RegExp(`^${word}, as \`(.+)\`:\\n\\n\`\`\`\\w+\\n([\\s\\S]*?)^\`\`\``, 'm').exec(page) ?? [];
    return { [file]: text };
  };
  const found = (word: string): readonly string[] =>
    checked(example(word), { advisories }).findings.map(({ rule }) => rule);

  test('says its level', () => {
    expect(page).toMatch(new RegExp(`^# ${id}\\n\\nAn? ${level}\\.`));
  });
  test('bad', () => {
    expect(found('Bad')).toContain(id);
  });
  test('good', () => {
    const worse = checked(example('Good'), { advisories }).findings.filter(
      ({ rule }) => rule === id || compareLevels(levelOf(rule), 'warning') < 0,
    );
    expect(worse).toEqual([]);
    expect(Object.values(example('Good')).join('')).not.toBe('');
  });
});

test('the list of rules in docs/check.md', () => {
  const text = readFileSync('docs/check.md', 'utf8');
  for (const { id, level, summary } of rules)
    expect(text.replace(/ +/g, ' ')).toContain(`| [${id}](rules/${id}.md) | ${level} | ${summary} |`);
});
