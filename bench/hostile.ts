/**
 * `npm run bench:hostile [-- --only NAME]…`: the cost of names that are crafted to keep the service busy. Asks every
 * route for every name of `test/support/hostile-names.ts`. Prints how long each answer took and how long other requests
 * waited. Fails if a block is longer than 50 ms or an answer takes more than 2 s.
 */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { nodeFlags } from '../scripts/node-flags.ts';
import {
  hostileNames,
  questionsFor,
  questionsForAll,
  type HostileQuestion,
} from '../test/support/hostile-names.ts';
import { indexBody, indexText } from '../test/support/signed-index.ts';
import type { LoopReport } from './child/probe.ts';
import { buildChildren, probe, start, type Running } from './processes.ts';
import { table } from './report.ts';

/** Milliseconds. */
const MAX_BLOCK = 50;
const MAX_ANSWER = 2000;

interface Cost {
  readonly question: string;
  readonly status: number;
  readonly bytes: number;
  /** Milliseconds. */
  readonly answer: number;
  readonly block: number;
}

const { values: options } = parseArgs({ options: { only: { type: 'string', multiple: true } } });
const names = hostileNames.filter(({ name }) => options.only?.includes(name) ?? true);
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'apk-beacon-hostile-'));
try {
  await writeRepository();
  await buildChildren();
  const costs = await measure();
  const isDear = ({ answer, block, status }: Cost): boolean =>
    status >= 500 || block > MAX_BLOCK || answer > MAX_ANSWER;
  const rows = costs.map((cost) => [
    cost.question,
    String(cost.status),
    (cost.bytes / 1e6).toFixed(1),
    cost.answer.toFixed(0),
    cost.block.toFixed(0),
    isDear(cost) ? 'missed' : '',
  ]);
  process.stdout.write(`${table(['', 'status', 'MB', 'answer ms', 'block ms', ''], rows)}\n`);
  if (costs.some(isDear)) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function writeRepository(): Promise<void> {
  for (const arch of ['x86_64', 'aarch64']) {
    const stanzas = hostileNames.flatMap((each) => each.stanzas(arch, 1));
    mkdirSync(join(folder, arch));
    const body = await indexBody(indexText(stanzas.map((stanza) => ({ ...stanza, A: arch }))));
    writeFileSync(join(folder, arch, 'APKINDEX.tar.gz'), body);
  }
  const repository = { url: folder, trust: 'none' };
  const config = { datasources: { hostile: { repositories: [repository], unknown: 'ask' } } };
  writeFileSync(join(folder, 'apk-beacon.json'), JSON.stringify(config));
}

async function measure(): Promise<readonly Cost[]> {
  await using service = start(process.execPath, [
    ...[...nodeFlags(main), ...probe, main],
    ...['--listen', '127.0.0.1:0', '--cache-dir', 'none', '--config', join(folder, 'apk-beacon.json')],
  ]);
  const [address = ''] = /http:[^"]+/.exec(await service.line(/Server listening/)) ?? [];
  for (const arch of ['x86_64', 'aarch64']) await service.line(new RegExp(`${arch}.*loaded \\d+ packages`));
  const questions = [...names.flatMap(({ name }) => questionsFor(name)), ...questionsForAll];
  const costs: Cost[] = [];
  for (const question of questions) {
    const cost = await ask(service, address, question);
    process.stderr.write(`${cost.question} ${cost.answer.toFixed(0)} ${cost.block.toFixed(0)}\n`);
    costs.push(cost);
  }
  return costs;
}

async function ask(
  service: Running,
  address: string,
  { path, headers = {} }: HostileQuestion,
): Promise<Cost> {
  await service.ask<LoopReport>('reset');
  const began = performance.now();
  const [response] = (await once(get(`${address}${path}`, { headers }), 'response')) as [IncomingMessage];
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  const answer = performance.now() - began;
  const { longest: block } = await service.ask<LoopReport>('read');
  const as = headers['accept'] ? ' (page)' : headers['user-agent'] ? ' (text)' : '';
  return { question: `${path}${as}`, status: response.statusCode ?? 0, bytes, answer, block };
}
