import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { serve } from '../../src/service/serve.ts';
import { startUpstream } from '../support/repository-server.ts';
import { writeConfig } from '../support/service.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('a refresh can be requested before the service listens: a SIGHUP that nobody listens to ends the process', async () => {
  await using upstream = await startUpstream();
  const config = await writeConfig(await temporaryDirectory(), {
    config: {
      datasources: { wolfi: { repositories: [upstream.url] } },
      // It is taken, so the service never listens.
      listen: upstream.url.replace('http://', ''),
    },
  });
  const onRefreshNow = vi.fn();
  const { signal } = new AbortController();
  const served = serve({ config, logger: pino({ level: 'silent' }), signal, onRefreshNow });
  await expect(served).rejects.toThrow('EADDRINUSE');
  expect(onRefreshNow).toHaveBeenCalledOnce();
});
