/** `preset`: prints the Renovate preset of the configuration, as `serve` answers it at `/renovate.json`. */
import type { Config } from '../config/config.ts';
import { UsageError } from '../errors.ts';
import { localUrl, presetFor } from '../service/preset.ts';
import { serviceUrl } from './service-client.ts';

export function presetCommand(
  words: readonly string[],
  config: Config,
  { url, isStatic }: { readonly url: string | boolean | undefined; readonly isStatic: boolean },
): number {
  const unknown = words.find((name) => !Object.hasOwn(config.datasources, name));
  if (unknown !== undefined) {
    const known = Object.keys(config.datasources).join(', ');
    throw new UsageError(`unknown datasource ${unknown}, expected some of ${known}`);
  }
  const address = typeof url === 'string' ? serviceUrl(url) : (config.publicUrl ?? localUrl(config));
  process.stdout.write(`${JSON.stringify(presetFor(config, words, address, { isStatic }), null, 2)}\n`);
  return 0;
}
