/** `config`: prints the effective configuration. It contains no secrets; passwords in URLs are masked. */
import { stringify } from 'yaml';
import { maskAddress } from '../addresses.ts';
import type { Config, FeedConfig, RepositoryConfig } from '../config/config.ts';
import { printableJson } from '../errors.ts';

export function configCommand(config: Config, { json }: { readonly json: boolean }): number {
  const { file, defaultDatasource, ...rest } = config;
  const shown = {
    ...rest,
    environment: undefined,
    listen: `${rest.listen.host.includes(':') ? `[${rest.listen.host}]` : rest.listen.host}:${rest.listen.port}`,
    refresh: duration(rest.refresh),
    cacheDir: rest.cacheDir ?? 'none',
    keepIndexes: rest.keepIndexes && duration(rest.keepIndexes),
    ledger: typeof rest.ledger === 'string' ? maskAddress(rest.ledger) : rest.ledger,
    netrc: rest.netrc ?? 'none',
    notify:
      rest.notify &&
      Object.fromEntries(
        Object.entries(rest.notify).map(([name, receiver]) => [
          name,
          { ...receiver, url: typeof receiver.url === 'string' ? maskAddress(receiver.url) : receiver.url },
        ]),
      ),
    hold: duration(rest.hold),
    drain: duration(rest.drain),
    timeouts: Object.fromEntries(
      Object.entries(rest.timeouts).map(([name, value]) => [name, duration(value)]),
    ),
    limits: {
      ...rest.limits,
      compressed: `${rest.limits.compressed}B`,
      inflated: `${rest.limits.inflated}B`,
      line: `${rest.limits.line}B`,
    },
    datasources: Object.fromEntries(
      Object.entries(rest.datasources).map(([name, datasource]) => [
        name,
        {
          ...datasource,
          default: name === defaultDatasource,
          keys: datasource.keys.map(maskAddress),
          repositories: datasource.repositories.map(shownRepository),
          advisories: datasource.advisories === 'known' ? 'known' : datasource.advisories.map(shownFeed),
        },
      ]),
    ),
  };
  const from = file === undefined ? '' : `# from ${file}\n`;
  process.stdout.write(json ? `${printableJson(shown, 2)}\n` : from + stringify(shown));
  return 0;
}

function shownRepository({ url, formerly, keys, maxAge, withdrawal, ...rest }: RepositoryConfig): object {
  return {
    url: maskAddress(url),
    ...rest,
    formerly: formerly.map(maskAddress),
    keys: keys?.map(maskAddress),
    maxAge: maxAge === undefined ? 'never' : duration(maxAge),
    withdrawal:
      typeof withdrawal === 'object' ? { ...withdrawal, age: duration(withdrawal.age) } : withdrawal,
  };
}

function shownFeed(feed: FeedConfig): object {
  return {
    ...feed,
    ...('secdb' in feed ? { secdb: maskAddress(feed.secdb) } : { osv: maskAddress(feed.osv) }),
    refresh: feed.refresh && duration(feed.refresh),
  };
}

/** Milliseconds in the largest unit that fits. */
function duration(milliseconds: number): string {
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (milliseconds > 0 && milliseconds % size === 0) return `${milliseconds / size}${unit}`;
  }
  return `${milliseconds}ms`;
}
