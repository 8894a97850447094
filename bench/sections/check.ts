/**
 * `check` of 500 image files with 5,000 pins, for one arch (116,876 packages) and for both, with the indexes themselves
 * and with a running service.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIndex } from '../../src/apk/read-index.ts';
import { testKey } from '../../test/support/signed-index.ts';
import { archs, type Arch } from '../indexes.ts';
import { start, startChild } from '../processes.ts';
import { row, type Row, type SectionResult, type Targets } from '../report.ts';
import { writeConfig, type Setting } from '../setting.ts';
import { addressIn } from './refresh.ts';

const FILES = 500;
const PINS_A_FILE = 10;

export async function checkSection(setting: Setting): Promise<SectionResult> {
  await using upstream = startChild('upstream', ['wolfi', setting.indexes.folder]);
  const url = addressIn(await upstream.line(/listening/));
  const one = await checks(setting, url, archs.slice(0, 1));
  const both = await checks(setting, url, archs);
  const seconds = (id: string, more: string, rounds: readonly number[], targets?: Targets): Row =>
    row(id, `check of ${FILES} files with ${FILES * PINS_A_FILE} pins, ${more}`, 's', rounds, targets);
  return {
    rows: [
      seconds('check', 'the index of one arch on disk', one.here, { must: 3, aim: 2 }),
      seconds('check-url', 'one arch, a warm service', one.there, { must: 1, aim: 0.7 }),
      seconds('check-both', 'the indexes of both archs on disk', both.here),
      seconds('check-both-url', 'both archs, a warm service', both.there),
    ],
  };
}

/** Seconds of each round, with the indexes themselves and with a running service. */
async function checks(
  setting: Setting,
  url: string,
  some: readonly Arch[],
): Promise<{ readonly here: readonly number[]; readonly there: readonly number[] }> {
  const config = writeConfig(setting, url, some, mkdtempSync(join(setting.folder, 'cache-')));
  const repository = await writeImages(setting, url, some);
  const check = (more: readonly string[]): Promise<number> => checkOnce(setting, repository, more);
  const rounds = async (more: readonly string[]): Promise<readonly number[]> => {
    const seconds: number[] = [];
    for (let round = 0; round < setting.rounds; round += 1) seconds.push(await check(more));
    return seconds;
  };
  // Fetches the indexes into the cache.
  await check(['--config', config]);
  const here = await rounds(['--config', config]);
  await using service = start(process.execPath, setting.serve(['--config', config]));
  const address = addressIn(await service.line(/Server listening/));
  for (const arch of some) await service.line(new RegExp(`${arch}.*(?:loaded|restored)`));
  await check(['--url', address]);
  return { here, there: await rounds(['--url', address]) };
}

/** Image files of one repository, with pins to existing versions. */
async function writeImages(
  { indexes, folder }: Setting,
  url: string,
  some: readonly Arch[],
): Promise<string> {
  const limits = { maxInflatedBytes: 2 ** 31, maxRatio: 100, maxLineBytes: 2 ** 23, maxPackages: 5_000_000 };
  const bytes = readFileSync(indexes.file('wolfi', 'x86_64'));
  const { packages } = await readIndex(bytes, { keys: [testKey()], limits });
  const names = [...packages.names()];
  const repository = mkdtempSync(join(folder, 'images-'));
  for (let i = 0; i < FILES; i += 1) {
    const pins = Array.from({ length: PINS_A_FILE }, (_, k) => {
      const name = names[((i * PINS_A_FILE + k) * 7919) % names.length] as string;
      const versions = packages.named(name);
      return `    - ${name}=${versions[(i + k) % versions.length]?.version}\n`;
    });
    const text = `contents:\n  repositories: [${url}]\n  packages:\n${pins.join('')}archs: [${some.join(', ')}]\n`;
    mkdirSync(join(repository, `group-${i % 20}`), { recursive: true });
    writeFileSync(join(repository, `group-${i % 20}/image-${i}.yaml`), text);
  }
  return repository;
}

/** Seconds from the start to the end of the command. */
async function checkOnce(setting: Setting, cwd: string, more: readonly string[]): Promise<number> {
  const began = performance.now();
  const output = await new Promise<string>((resolve, reject) => {
    const args = [setting.service, 'check', '--format', 'json', ...more];
    execFile(process.execPath, args, { cwd, maxBuffer: 2 ** 28 }, (error, stdout, stderr) => {
      if (error && (error.code !== 1 || stdout === '')) reject(new Error(stderr, { cause: error }));
      else resolve(stdout);
    });
  });
  const seconds = (performance.now() - began) / 1000;
  const { summary } = JSON.parse(output) as { summary: { pins: number } };
  if (summary.pins !== FILES * PINS_A_FILE) throw new Error(`check found ${summary.pins} pins`);
  setting.log(`check ${more[0]}: ${seconds.toFixed(2)} s`);
  return seconds;
}
