/** Links between the documents: each file is there, and each heading. */
import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

const documents: string[] = [];
for await (const file of glob(['*.md', 'docs/**/*.md', 'deploy/**/*.md', 'packages/*.md', 'images/*.md']))
  documents.push(file);

describe.each(documents.toSorted())('%s', (file) => {
  test('has no dead link', async () => {
    const dead: string[] = [];
    for (const link of linksOf(await readFile(file, 'utf8'))) {
      if (/^[a-z]+:/.test(link)) continue;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? file : normalize(join(dirname(file), path));
      if (!existsSync(target)) dead.push(link);
      else if (anchor !== undefined && target.endsWith('.md')) {
        if (!anchorsOf(await readFile(target, 'utf8')).includes(anchor)) dead.push(link);
      }
    }
    expect(dead).toEqual([]);
  });
});

/** Targets of links and pictures; code is left out. */
function linksOf(markdown: string): readonly string[] {
  const prose = markdown.replace(/^(```|~~~).*?^\1/gms, '').replace(/`[^`\n]*`/g, '``');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

/** The anchors that GitHub and GitLab generate from headings. */
function anchorsOf(markdown: string): readonly string[] {
  const text = markdown.replace(/^(```|~~~).*?^\1/gms, '');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
