/** Writes all answers of both archs as files. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { archs } from '../indexes.ts';
import { startChild } from '../processes.ts';
import { row, type SectionResult } from '../report.ts';
import { writeConfig, type Setting } from '../setting.ts';
import { addressIn } from './refresh.ts';

export async function exportSection(setting: Setting): Promise<SectionResult> {
  const run = promisify(execFile);
  await using upstream = startChild('upstream', ['wolfi', setting.indexes.folder]);
  const config = writeConfig(setting, addressIn(await upstream.line(/listening/)), archs);
  const seconds: number[] = [];
  for (let round = 0; round < Math.ceil(setting.rounds / 2); round += 1) {
    setting.log('export');
    const began = performance.now();
    await run(process.execPath, [
      setting.service,
      'export',
      '--out',
      join(setting.folder, `site-${round}`),
      '--config',
      config,
    ]);
    seconds.push((performance.now() - began) / 1000);
  }
  return {
    rows: [row('export', 'export of all names of both archs', 's', seconds, { must: 20, aim: 8 })],
  };
}
