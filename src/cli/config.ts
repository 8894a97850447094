/** `config`: prints what is in force. Secrets are not in a configuration; what a URL carries is masked. */
import { stringify } from 'yaml';
import type { Config } from '../config/config.ts';

export function configCommand(config: Config): number {
  const { file, defaultDatasource, ...rest } = config;
  const shown = {
    ...rest,
    environment: undefined,
    listen: `${rest.listen.host.includes(':') ? `[${rest.listen.host}]` : rest.listen.host}:${rest.listen.port}`,
    refresh: duration(rest.refresh),
    cacheDir: rest.cacheDir ?? 'none',
    netrc: rest.netrc ?? 'none',
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
          keys: datasource.keys.map(masked),
          repositories: datasource.repositories.map((repository) => ({
            ...repository,
            url: masked(repository.url),
            ...(repository.keys && { keys: repository.keys.map(masked) }),
            maxAge: repository.maxAge === undefined ? 'never' : duration(repository.maxAge),
          })),
        },
      ]),
    ),
  };
  if (file !== undefined) process.stdout.write(`# from ${file}\n`);
  process.stdout.write(stringify(shown));
  return 0;
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

function masked(address: string): string {
  const url = URL.parse(address);
  if (!url) return address;
  if (url.username !== '' || url.password !== '') url.username = url.password = '***';
  if (url.search !== '') url.search = '***';
  return url.href;
}
