/** Peers on the PATH, given one arch of the same index and asked the same. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryOf } from '../memory.ts';
import { start, startChild } from '../processes.ts';
import type { Row, SectionResult } from '../report.ts';
import type { Setting } from '../setting.ts';
import { measured } from '../statistics.ts';
import { addressIn } from './refresh.ts';
import { speedOf } from './requests.ts';

interface Peer {
  readonly command: string;
  readonly args: (index: string) => readonly string[];
  /** Where it answers for a package. */
  readonly url: string;
}

const peers: readonly Peer[] = [
  {
    command: 'renovate-apk-indexer',
    args: (index) => ['--apk-index-url', index],
    url: 'http://127.0.0.1:3000',
  },
  {
    command: 'apk-datasource',
    args: (index) => ['serve', '--index-url', index, '--port', '3001'],
    url: 'http://127.0.0.1:3001/x86_64',
  },
];

export async function peersSection(setting: Setting): Promise<SectionResult> {
  const present = peers.filter(({ command }) => isOnPath(command));
  const absent = peers.filter((peer) => !present.includes(peer));
  const rows: Row[] = [];
  for (const peer of present) rows.push(...(await measurePeer(setting, peer)));
  return { rows, notes: absent.map(({ command }) => `${command}: not on the PATH, not measured`) };
}

async function measurePeer(setting: Setting, { command, args, url }: Peer): Promise<Row[]> {
  const loads: number[] = [];
  const peaks: number[] = [];
  const speeds: number[] = [];
  await using upstream = startChild('upstream', ['wolfi', setting.indexes.folder]);
  const index = `${addressIn(await upstream.line(/listening/))}/x86_64/APKINDEX.tar.gz`;
  for (let round = 0; round < Math.ceil(setting.rounds / 2); round += 1) {
    setting.log(`peers: ${command}`);
    const began = performance.now();
    await using running = start(command, args(index));
    await untilAnswered(`${url}/${setting.names[0]}`);
    loads.push(performance.now() - began);
    speeds.push((await speedOf(setting, running, url)).perSecond);
    peaks.push(memoryOf(running.pid).peak / 1e6);
  }
  return [
    {
      id: `${command}-start`,
      what: `${command}: start → first answer, one arch`,
      unit: 'ms',
      value: measured(loads),
    },
    { id: `${command}-rss`, what: `${command}: peak RSS, one arch`, unit: 'MB', value: measured(peaks) },
    {
      id: `${command}-requests`,
      what: `${command}: requests a second`,
      unit: '1/s',
      value: measured(speeds),
    },
  ];
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

async function untilAnswered(url: string): Promise<void> {
  for (let tries = 0; tries < 6000; tries += 1) {
    const status = await fetch(url).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    await sleep(10);
  }
  throw new Error(`${url} did not answer`);
}
