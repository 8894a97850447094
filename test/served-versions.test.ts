import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ServedVersions } from '../src/served-versions.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

test('remembers across a restart', async () => {
  const file = join(await temporaryDirectory(), 'cache', 'served.json');
  const first = new ServedVersions(file);
  first.note('wolfi', 'app', ['1.0-r0', '2.0-r0']);
  await first.save();
  const second = new ServedVersions(file);
  await second.load();
  expect(second.recall('wolfi', 'app')).toEqual(['2.0-r0', '1.0-r0']);
});

test.each(['', '{"format":1,"vers', 'null', '{"format":0,"versions":[]}', '{"format":1,"versions":[[1,2]]}'])(
  'a damaged memory (%j) is as good as none, with one warning',
  async (text) => {
    const file = join(await temporaryDirectory(), 'served.json');
    await writeFile(file, text);
    const warnings: string[] = [];
    const served = new ServedVersions(file, (message) => void warnings.push(message));
    await served.load();
    expect(warnings).toEqual([expect.stringContaining(file)]);
    served.note('wolfi', 'app', ['1.0-r0']);
    await served.save();
    const again = new ServedVersions(file);
    await again.load();
    expect(again.recall('wolfi', 'app')).toEqual(['1.0-r0']);
  },
);

test('no memory at all is nothing to warn of', async () => {
  const file = join(await temporaryDirectory(), 'served.json');
  await new ServedVersions(file, (message) => expect.unreachable(message)).load();
});
