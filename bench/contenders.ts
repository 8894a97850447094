/** The service and its contenders: how to start each with one arch of an index, and how to query it. */
import { accessSync, constants, mkdtempSync } from 'node:fs';
import { request } from 'node:http';
import { delimiter, join } from 'node:path';
import { basename } from 'node:path/posix';
import { setTimeout as sleep } from 'node:timers/promises';
import { renovateSources } from '../test/renovate/support/install.ts';
import type { LookupReport } from './child/renovate.ts';
import { start, startChild, type Running } from './processes.ts';
import { addressIn } from './sections/refresh.ts';
import { askAll } from './sections/requests.ts';
import { writeConfig, type Setting } from './setting.ts';

export const ARCH = 'x86_64';

export interface Contender {
  readonly who: string;
  /** The prefix of its figures' names. */
  readonly id: string;
  /** Why it cannot be measured. */
  readonly absent?: string | undefined;
  readonly start: () => Running;
  /** Waits for the first answer; returns a function that asks for all names. */
  readonly answered: (running: Running) => Promise<() => Promise<LookupReport>>;
}

/** `upstream` is a repository with `ARCH`. */
export function contendersFor(setting: Setting, upstream: string): readonly Contender[] {
  const index = `${upstream}/${ARCH}/APKINDEX.tar.gz`;
  return [
    service(setting, upstream),
    renovate(setting, upstream),
    goPeer(setting, {
      module: 'github.com/hown3d/renovate-apk-indexer',
      args: ['--apk-index-url', index],
      url: 'http://127.0.0.1:3000',
    }),
    goPeer(setting, {
      module: 'github.com/cwaits6/apk-datasource/cmd/apk-datasource',
      args: ['serve', '--index-url', index, '--port', '3001'],
      url: `http://127.0.0.1:3001/${ARCH}`,
    }),
  ];
}

function service(setting: Setting, upstream: string): Contender {
  const config = writeConfig(setting, upstream, [ARCH]);
  return {
    who: 'apk-beacon',
    id: 'apk-beacon',
    start: () => start(process.execPath, setting.serve(['--config', config])),
    answered: async (running) => {
      const address = addressIn(await running.line(/Server listening/));
      return answeredOverHttp(setting, running, `${address}/bench`);
    },
  };
}

/** Always with an empty package cache, as in a new container. */
function renovate(setting: Setting, upstream: string): Contender {
  const { sources = '', absent } = findRenovate();
  const cache = (): string => mkdtempSync(join(setting.folder, 'renovate-'));
  return {
    who: "Renovate's own apk datasource",
    id: 'renovate',
    absent,
    start: () =>
      startChild('renovate', [sources, `${upstream}?arch=${ARCH}`, setting.paths('wolfi'), cache()]),
    answered: async (running) => {
      await running.line(/^answered$/);
      return () => running.ask<LookupReport>(String(setting.seconds));
    },
  };
}

function findRenovate(): { sources?: string; absent?: string } {
  try {
    return { sources: renovateSources() };
  } catch (error) {
    return { absent: `${(error as Error).message}; it is looked for in \`.cache/renovate/node_modules\`` };
  }
}

interface GoPeer {
  readonly module: string;
  readonly args: readonly string[];
  /** Address of the answer for a package. */
  readonly url: string;
}

function goPeer(setting: Setting, { module, args, url }: GoPeer): Contender {
  const command = basename(module);
  return {
    who: command,
    id: command,
    absent: isOnPath(command) ? undefined : `It is not on the PATH; \`go install ${module}@latest\` gets it`,
    start: () => start(command, args),
    answered: (running) => answeredOverHttp(setting, running, url),
  };
}

function isOnPath(command: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

async function answeredOverHttp(
  setting: Setting,
  running: Running,
  url: string,
): Promise<() => Promise<LookupReport>> {
  await untilAnswered(running, `${url}/${setting.names[0]}`);
  return async () => {
    const first = await askAll(setting, 'once', url, 60);
    await askAll(setting, 'closed', url, 3);
    return { first, again: await askAll(setting, 'closed', url, setting.seconds) };
  };
}

async function untilAnswered(running: Running, url: string): Promise<void> {
  const began = performance.now();
  while (performance.now() - began < 60_000) {
    if (!running.isRunning()) throw new Error(`it ended: ${running.lines.at(-1) ?? 'without a word'}`);
    if ((await statusOf(url)) === 200) return;
    await sleep(5);
  }
  throw new Error(`no answer from ${url}`);
}

/** The status of a request over a new connection; 0 if it cannot connect. */
function statusOf(url: string): Promise<number> {
  return new Promise((resolve) => {
    request(url, { agent: false }, (response) => {
      response.resume().on('close', () => resolve(response.complete ? (response.statusCode ?? 0) : 0));
    })
      .on('error', () => resolve(0))
      .end();
  });
}
