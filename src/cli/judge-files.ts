/** Judgments of each file's pins, by a running service or by the indexes themselves. */
import { checkBodies, parseJudgments } from '../check/protocol.ts';
import type { CheckedFile } from '../check/findings.ts';
import { judgeTogether } from '../check/judge-together.ts';
import type { Judgment } from '../check/judgment.ts';
import { IndexError } from '../errors.ts';
import { builtNames, judgeHere, type CheckHere } from '../service/check.ts';
import { askService, serviceUrl } from './service-client.ts';

export interface JudgeOptions extends CheckHere {
  /** The service's URL. Its configuration then chooses the datasources. */
  readonly url: string | undefined;
}

/** Throws if an index or the service is unavailable. */
export async function judgeFiles(
  files: readonly CheckedFile[],
  { url, ...options }: JudgeOptions,
): Promise<readonly (readonly Judgment[])[]> {
  if (files.length === 0) return [];
  return url === undefined ? await judgeHere(files, options) : await judgeThere(files, url, options);
}

async function judgeThere(
  files: readonly CheckedFile[],
  base: string,
  { config, policy, signal }: CheckHere,
): Promise<readonly (readonly Judgment[])[]> {
  const url = new URL(`${serviceUrl(base)}/-/check`);
  return await judgeTogether(files, async (asked) => {
    const pins = asked.flat();
    const judgments = Array<Judgment>(pins.length);
    const bodies = checkBodies(pins, { policy, built: builtNames(files) });
    await Promise.all(
      bodies.map(async ({ body, places }) => {
        const answer = parseJudgments(await askService(url, {}, config, signal, body));
        // A pin without a judgment would pass.
        if (answer.length !== places.length)
          throw new IndexError('fetch-failed', `${url.host} did not judge every pin`);
        for (const [i, place] of places.entries()) judgments[place] = answer[i] as Judgment;
      }),
    );
    return judgments;
  });
}
