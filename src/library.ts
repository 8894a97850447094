/** `import { check } from 'apk-beacon/check'`: what the command `check` does, as a function. */
import { readFiles } from './check/files.ts';
import { countPins, findingsOf } from './check/findings.ts';
import { judgeFiles } from './cli/judge-files.ts';
import { loadConfig } from './config/config.ts';
import type { CheckOptions, CheckReport } from './library-types.ts';

export type * from './library-types.ts';

/** Rejects if an index or the service is unavailable. */
export async function check(options: CheckOptions = {}): Promise<CheckReport> {
  const {
    root = '.',
    paths = [],
    url,
    repositories,
    within = 'major',
    minAge = 0,
    security = false,
  } = options;
  const { signal = new AbortController().signal, environment = {} } = options;
  const settings = {
    ...(options.config !== undefined && { config: [options.config] }),
    ...(repositories && { repository: [...repositories] }),
    ...(options.keys && { key: [...options.keys] }),
    ...(options.archs && { arch: [...options.archs] }),
  };
  const config = loadConfig({ words: [], settings, own: {} }, environment);
  const files = readFiles(paths, root);
  const policy = { within, minAge, security };
  const judgments = await judgeFiles(files, {
    url,
    config,
    asksAll: repositories !== undefined,
    policy,
    now: Date.now(),
    signal,
  });
  return {
    ...countPins(files),
    findings: files.flatMap((file, i) => findingsOf(file, judgments[i] ?? [])),
  };
}
