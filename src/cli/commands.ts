/** The commands, and the help that lists them. Each is loaded when it is asked for: a health check needs no server. */
import {
  loadConfig,
  optionHelp,
  parseCommandLine,
  type CommandLine,
  type Environment,
} from '../config/config.ts';
import { IndexError } from '../errors.ts';
import { nearest } from '../config/hints.ts';
import { version } from '../version.ts';

const help = (): string => `apk-beacon – which versions of this APK package exist?

  apk-beacon [serve] [options]             answer lookups (the default command)
  apk-beacon explain NAME[=PIN] [--all] [--json] [--url URL]
                                           why a version is or is not offered, and what a pin would be offered;
                                           with --url from a running service
  apk-beacon export --out DIR [--brotli]   every answer as a static file, see docs/operate.md
  apk-beacon health [options]              whether the service that listens here is alive
  apk-beacon accept DATASOURCE [ARCH]      take the indexes that were held back
  apk-beacon preset [DATASOURCE …] [--url URL]
                                           print the Renovate preset, for a repository of presets
  apk-beacon config [options]              print the configuration in force
  apk-beacon help | version

Options (each but --name also as the environment variable on the right):
${optionHelp()
  .map(({ flag, variable, help: text }) => `  ${flag.padEnd(27)} ${variable.padEnd(28)} ${text}`)
  .join('\n')}

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
`;

const commands = ['serve', 'explain', 'export', 'health', 'accept', 'preset', 'config', 'help', 'version'];

/** Flags of one command, by the command. */
const flagsOf = {
  explain: { json: { type: 'boolean' }, all: { type: 'boolean' }, url: { type: 'string' } },
  export: { out: { type: 'string' }, brotli: { type: 'boolean' } },
  preset: { url: { type: 'string' } },
} as const;

/** Runs the command that `args` name and returns the exit code. */
export async function runCommand(
  args: readonly string[],
  environment: Environment,
  signal: AbortSignal,
): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) return print(help());
  if (args.includes('--version')) return print(`${version}\n`);
  const line = parseCommandLine(args, { ...flagsOf.explain, ...flagsOf.export, ...flagsOf.preset });
  const [command = 'serve', ...words] = line.words;
  expectOwnFlags(command, line.own);
  switch (command) {
    case 'serve': {
      expectNoMore(command, words);
      const config = loadConfig(line, environment);
      const [{ serve }, { createLogger }] = await Promise.all([
        import('../service/serve.ts'),
        import('../service/logger.ts'),
      ]);
      const logger = await createLogger(config.logLevel, {
        format: config.logFormat,
        terminal: process.stdout.isTTY,
      });
      await serve({ config, logger, signal, onRefreshNow: (now) => process.on('SIGHUP', now) });
      return 0;
    }
    case 'explain': {
      const { explainCommand } = await import('./explain.ts');
      return await explainCommand(words, () => loadConfig(line, environment), {
        json: line.own['json'] === true,
        all: line.own['all'] === true,
        url: typeof line.own['url'] === 'string' ? line.own['url'] : undefined,
        signal,
      });
    }
    case 'export': {
      expectNoMore(command, words);
      const { exportCommand } = await import('./export.ts');
      return await exportCommand(loadConfig(line, environment), {
        out: line.own['out'],
        brotli: line.own['brotli'] === true,
        signal,
      });
    }
    case 'health': {
      expectNoMore(command, words);
      const { healthCommand } = await import('./health.ts');
      return await healthCommand(loadConfig(line, environment));
    }
    case 'accept': {
      const { acceptCommand } = await import('./accept.ts');
      return await acceptCommand(words, loadConfig(line, environment), signal);
    }
    case 'preset': {
      const { presetCommand } = await import('./preset.ts');
      return presetCommand(words, loadConfig(line, environment), line.own['url']);
    }
    case 'config': {
      expectNoMore(command, words);
      const { configCommand } = await import('./config.ts');
      return configCommand(loadConfig(line, environment));
    }
    case 'help':
      return print(help());
    case 'version':
      return print(`${version}\n`);
    default: {
      const meant = nearest(command, commands);
      const hint = meant === undefined ? '' : `, did you mean ${meant}?`;
      throw new IndexError(
        'config-invalid',
        `unknown command ${command}${hint || '; apk-beacon help lists them'}`,
      );
    }
  }
}

/** Throws for a flag of another command, which would be without effect. */
function expectOwnFlags(command: string, own: CommandLine['own']): void {
  if (!commands.includes(command)) return;
  const known = Object.keys(flagsOf[command as keyof typeof flagsOf] ?? {});
  const foreign = Object.keys(own).find((flag) => own[flag] !== undefined && !known.includes(flag));
  if (foreign === undefined) return;
  const of = Object.entries(flagsOf).filter(([, flags]) => Object.hasOwn(flags, foreign));
  const owners = of.map(([owner]) => owner).join(' and ');
  throw new IndexError('config-invalid', `--${foreign} belongs to the command ${owners}, not to ${command}`);
}

function expectNoMore(command: string, words: readonly string[]): void {
  if (words.length > 0)
    throw new IndexError('config-invalid', `${command} takes no argument, got ${words.join(' ')}`);
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}
