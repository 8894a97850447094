import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/config.ts';
import { indexSpecs } from '../../src/service/index-specs.ts';
import type { WithdrawalPolicy } from '../../src/catalog/withdrawal.ts';

const collected: WithdrawalPolicy = { kind: 'collected', age: 184 * 86_400_000, days: [13, 23] };
const replaced: WithdrawalPolicy = { kind: 'replaced' };

test.each<[repository: string, expected: WithdrawalPolicy | undefined]>([
  ['https://packages.wolfi.dev/os', collected],
  ['https://mirror.example.com/wolfi/os', collected],
  ['https://dl-cdn.alpinelinux.org/alpine/v3.22/main', replaced],
  ['https://mirror.example.com/alpine/edge/community', replaced],
  ['https://apk.cgr.dev/chainguard', undefined],
  ['https://packages.mini.dev/os', undefined],
  ['https://dhi.io/apk/alpine/v3.23/main', undefined],
  ['https://apks.example.com/private', undefined],
  ['/srv/os', undefined],
])('how %s withdraws is known or not', (repository, expected) => {
  expect(withdrawalOf({ settings: { repository: [repository] } })).toEqual(expected);
});

test('a repository at the path of one that is configured itself is no mirror of it', () => {
  const repository = ['https://apks.example.com/os', 'https://packages.wolfi.dev/os'];
  expect(withdrawalOf({ settings: { repository } })).toBeUndefined();
});

function withdrawalOf({ settings }: { settings: Record<string, string[]> }): WithdrawalPolicy | undefined {
  const config = loadConfig({ words: [], settings, own: {} }, {});
  const [datasource] = Object.values(config.datasources);
  if (!datasource?.repositories[0]) throw new Error('no repository');
  return indexSpecs(datasource, datasource.repositories[0], config)[0]?.withdrawal;
}
