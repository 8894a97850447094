/** `preset`: prints the Renovate preset of the configuration, as `serve` answers it at `/renovate.json`. */
import { datasourceNamed, type Config } from '../config/config.ts';
import { localUrl, presetFor } from '../service/preset.ts';
import { serviceUrl } from './service-client.ts';

export function presetCommand(
  words: readonly string[],
  config: Config,
  { url, isStatic }: { readonly url: string | boolean | undefined; readonly isStatic: boolean },
): number {
  for (const name of words) datasourceNamed(config, name);
  const address = typeof url === 'string' ? serviceUrl(url) : (config.publicUrl ?? localUrl(config));
  process.stdout.write(`${JSON.stringify(presetFor(config, words, address, { isStatic }), null, 2)}\n`);
  return 0;
}
