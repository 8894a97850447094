import { expect, test, vi } from 'vitest';
import { IndexStore } from '../../src/repository/index-store.ts';
import { startUpstream } from '../support/repository-server.ts';
import { startService } from '../support/service.ts';
import { pkg, signedIndex } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('an index is on disk before it is served: what was ready once is ready after a crash', async () => {
  await using upstream = await startUpstream();
  for (const arch of ['x86_64', 'aarch64'])
    upstream.serve(arch, await signedIndex([pkg('curl', '8.0-r0', { A: arch })]));
  await using service = await startService({
    config: { datasources: { wolfi: { repositories: [upstream.url] } } },
    cacheDir: await temporaryDirectory(),
  });
  const [live] = service.beacon.datasources;
  const servedWhileSaved: boolean[] = [];
  const save = vi.spyOn(IndexStore.prototype, 'save').mockImplementation((kept) => {
    servedWhileSaved.push(live?.indexes.find(({ spec }) => spec === kept)?.loaded !== undefined);
    return Promise.resolve();
  });
  await service.beacon.refreshOnce(new AbortController().signal);
  save.mockRestore();
  expect(servedWhileSaved).toEqual([false, false]);
  expect((await service.get('/curl')).statusCode).toBe(200);
});
