/**
 * A newcomer's first merge request, from README alone: its definition, its `extends` line and the merge request it
 * shows, with the real Renovate. Only the address of the service differs, and the date, because the packages are made
 * by the test: the real Wolfi is not available.
 */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { published, startBeacon } from './support/beacon.ts';
import { startGitea } from './support/gitea.ts';
import { allowInternal } from './support/preset.ts';
import { startRecorder } from './support/recorder.ts';

const ADDRESS = 'http://apk-beacon:3000';
const readme = await readFile('README.md', 'utf8');

/** The first code block of that language in the part about Renovate. */
function block(language: string): string {
  const section = readme.slice(readme.indexOf('\n## Let Renovate use it\n'));
  const [, text] = new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'm').exec(section) ?? [];
  if (text === undefined) throw new Error(`README.md: no ${language} for Renovate`);
  return text;
}

/** The day from which on this version of containerd counts as published, `2026-07-24`. */
async function firstSeen(service: string, version: string): Promise<string | undefined> {
  const answer = (await (await fetch(`${service}/wolfi/containerd`)).json()) as {
    releases: { version: string; releaseTimestamp: string }[];
  };
  return answer.releases.find((release) => release.version === version)?.releaseTimestamp.slice(0, 10);
}

test('the first merge request is the one that README shows', async () => {
  await using front = await startRecorder('http://127.0.0.1:1');
  const old = [published('containerd=2.3.3-r4'), published('other=1.0-r0')];
  const half = [...old, published('containerd=2.3.4-r0', { archs: ['x86_64'] })];
  await using beacon = await startBeacon({
    datasources: { wolfi: half },
    config: { publicUrl: front.url },
  });
  front.retarget(beacon.url);
  await using gitea = await startGitea();
  await gitea.create('images', {
    'containerd.yaml': block('yaml'),
    'renovate.json': block('json').replace(ADDRESS, front.url),
  });
  await gitea.renovate('images', allowInternal(front.url));
  expect(gitea.mergeRequests).toEqual([]);

  await beacon.publish('wolfi', [...old, published('containerd=2.3.4-r0')]);
  await beacon.refreshed('wolfi');
  await gitea.renovate('images', allowInternal(front.url));
  const [opened, ...more] = gitea.mergeRequests;
  expect(more).toEqual([]);
  const shown = /^> \*\*(.+)\*\*$/m.exec(readme)?.[1];
  expect(opened?.title).toBe(shown);
  const cells = (line: string): string[] =>
    line
      .split('|')
      .map((cell) => cell.trim())
      .filter((cell) => !/^(>|-*)$/.test(cell));
  const tableOf = (text: string): string[][] =>
    text
      .split('\n')
      .filter((line) => /^(> )?\|/.test(line))
      .map(cells)
      .filter((row) => row.length > 0);
  const inReadme = tableOf(
    readme
      .split('\n')
      .filter((line) => line.startsWith('> |'))
      .join('\n'),
  );
  expect(inReadme).toHaveLength(2);
  const today = await firstSeen(beacon.url, '2.3.4-r0');
  expect(tableOf(opened?.body.replaceAll(front.url, ADDRESS) ?? '')).toEqual(
    inReadme.map((row) => row.map((cell) => cell.replace(/, of \d{4}-\d\d-\d\d$/, `, of ${today}`))),
  );
  expect(await gitea.diff('images', opened?.branch ?? '')).toEqual([
    '-    - containerd=2.3.3-r4',
    '+    - containerd=2.3.4-r0',
  ]);
});
