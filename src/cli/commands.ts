/** The table of commands. Each command is loaded only when it runs. */
import { loadConfig, type Environment } from '../config/config.ts';
import { parseCommandLine, type CommandLine } from '../config/options.ts';
import { UsageError } from '../errors.ts';
import { nearest } from '../config/hints.ts';
import { version } from '../version.ts';
import { UNCHECKED, type Command, type CommandContext, type Flag } from './command.ts';

const json: Flag = { name: 'json', help: 'print the result as JSON' };

const serve: Command = {
  name: 'serve',
  summary: 'answer lookups (the default command)',
  details: 'SIGHUP refreshes all indexes at once. SIGTERM and SIGINT stop the service.',
  flags: [],
  isConfigured: true,
  examples: [
    'apk-beacon serve --listen 127.0.0.1:3000',
    'apk-beacon --repository https://apks.example.com/os --key /etc/apk/keys/melange.rsa.pub',
  ],
  async run({ line, environment, signal }) {
    const config = loadConfig(line, environment);
    const [{ serve: run }, { createLogger }] = await Promise.all([
      import('../service/serve.ts'),
      import('../service/logger.ts'),
    ]);
    const logger = await createLogger(config.logLevel, {
      format: config.logFormat,
      terminal: process.stdout.isTTY,
    });
    await run({ config, logger, signal, onRefreshNow: (now) => process.on('SIGHUP', now) });
    return 0;
  },
};

const fromService = {
  name: 'url',
  placeholder: 'URL',
  help: 'ask a running service instead of loading the indexes',
};

const explain: Command = {
  name: 'explain',
  summary: 'explain why a version is or is not offered, and what a pin would be updated to',
  details:
    'NAME may start with a datasource: wolfi/curl. PIN is a version or a constraint; quote it if it contains blanks, < or >. Exits with 1 if no index has the name.',
  operands: 'NAME[=PIN]',
  flags: [
    { name: 'all', help: 'show every version, not only the ten newest' },
    { name: 'json', help: 'print the whole explanation as JSON' },
    fromService,
  ],
  isConfigured: true,
  examples: [
    'apk-beacon explain curl=8.9.1-r4',
    "apk-beacon explain 'nodejs>=22 <24' --url http://apk-beacon:3000",
  ],
  async run({ words, line, environment, signal }) {
    const { explainCommand } = await import('./explain.ts');
    return await explainCommand(words, () => loadConfig(line, environment), {
      json: line.own['json'] === true,
      all: line.own['all'] === true,
      url: textOf(line.own['url']),
      signal,
    });
  },
};

const delta: Command = {
  name: 'delta',
  summary: 'predict what hosts download when an image changes, before it is built',
  details:
    'OLD and NEW are apko definitions or lock files. The prediction uses the sizes in the index; docs/delta.md has its error. Definitions are resolved with the current index; lock files have exact packages.',
  operands: 'OLD NEW',
  flags: [
    { name: 'in', placeholder: 'DATASOURCE', help: 'where to resolve the images (the default one)' },
    json,
  ],
  isConfigured: true,
  examples: [
    'apk-beacon delta before.yaml images/containerd.yaml',
    'apk-beacon delta <(git show HEAD~1:images/containerd.yaml) images/containerd.yaml',
  ],
  async run({ words, line, environment, signal }) {
    const { deltaCommand } = await import('./delta.ts');
    return await deltaCommand(words, loadConfig(line, environment), {
      json: line.own['json'] === true,
      datasource: textOf(line.own['in']),
      signal,
    });
  },
};

const raising: Command['flags'] = [
  fromService,
  { name: 'diff', help: 'print the changes without making them' },
  {
    name: 'within',
    placeholder: 'STEP',
    help: 'raise pins by at most a rebuild, patch, minor or major (major)',
  },
  {
    name: 'min-age',
    placeholder: 'TIME',
    help: 'use only versions of this age, such as 7d, since they were first seen, or without a ledger were built',
  },
  {
    name: 'security',
    help: 'raise only vulnerable pins, to the lowest version that fixes most vulnerabilities; ignores --min-age',
  },
];

const check: Command = {
  name: 'check',
  summary: 'check whether images will build, and which of their pins are outdated',
  details:
    'Reads apko definitions with their includes and lock files, melange recipes, Dockerfiles, shell scripts, GitLab CI and compose files, and definitions of Docker Hardened Images. PATH is a file, a folder or a pattern; by default the current folder. Each pin is looked up in the datasource that its file builds on. docs/check.md has the rules. Exits with 1 for findings at or above --fail-on, and with 3 if the check fails.',
  operands: '[PATH …]',
  flags: [
    { name: 'format', placeholder: 'FORMAT', help: 'text, json, sarif, codequality, junit or github (text)' },
    { name: 'output', placeholder: 'FILE', help: 'write the report to a file, and text to the terminal' },
    {
      name: 'fail-on',
      placeholder: 'LEVEL',
      help: 'lowest level that fails the check: error, warning, note or never (error)',
    },
    { name: 'all', help: 'also show notes' },
    { name: 'baseline', placeholder: 'FILE', help: 'ignore the findings listed in this file' },
    { name: 'write-baseline', help: 'write the present findings to the file of --baseline' },
    { name: 'fix', help: 'raise pins in place to the newest version that every arch has' },
    ...raising,
  ],
  isConfigured: true,
  examples: [
    'apk-beacon check',
    'apk-beacon check images Dockerfile --repository https://packages.wolfi.dev/os --fail-on warning',
    'apk-beacon check --format codequality --output gl-code-quality-report.json',
    'apk-beacon check --fix --within minor --min-age 7d',
  ],
  failureCode: UNCHECKED,
  run: async (context) => await runCheck(context, false),
};

const pin: Command = {
  name: 'pin',
  summary: 'turn package names without a version into exact pins',
  details:
    'Reads the same files as check. Each name gets the newest version that every arch has. Exits with 3 if an index cannot be loaded.',
  operands: '[PATH …]',
  flags: raising.filter(({ name }) => !['within', 'security'].includes(name)),
  isConfigured: true,
  examples: ['apk-beacon pin images --diff', 'apk-beacon pin Dockerfile'],
  failureCode: UNCHECKED,
  run: async (context) => await runCheck(context, true),
};

async function runCheck(
  { words, line, environment, signal }: CommandContext,
  pinsNames: boolean,
): Promise<number> {
  const { checkCommand } = await import('./check.ts');
  return await checkCommand(words, {
    own: line.own,
    config: () => loadConfig(line, environment),
    isPlain: line.settings.repository !== undefined,
    pinsNames,
    root: process.cwd(),
    signal,
  });
}

const exportFiles: Command = {
  name: 'export',
  summary: 'write every answer as a static file',
  details:
    'The files are for GitLab Pages, S3 or a CDN; docs/operate.md describes their layout. If a required index cannot be loaded, the command fails and does not change the folder.',
  flags: [
    { name: 'out', placeholder: 'DIR', help: 'folder to write to', isRequired: true },
    { name: 'brotli', help: 'also compress each file with brotli' },
    { name: 'advisories', help: 'also write the advisories; mind their licences' },
    { name: 'pages', help: 'also write a page for each package, for browsers' },
    json,
  ],
  isConfigured: true,
  examples: ['apk-beacon export --out public'],
  async run({ line, environment, signal }) {
    const { exportCommand } = await import('./export.ts');
    return await exportCommand(loadConfig(line, environment), {
      out: line.own['out'],
      brotli: line.own['brotli'] === true,
      advisories: line.own['advisories'] === true,
      pages: line.own['pages'] === true,
      json: line.own['json'] === true,
      signal,
    });
  },
};

const health: Command = {
  name: 'health',
  summary: 'check whether the service on this machine is alive',
  details: 'Asks /livez, for health checks of containers. Exits with 1 if the service is not alive.',
  flags: [json],
  isConfigured: true,
  examples: ['apk-beacon health --listen 127.0.0.1:3000'],
  async run({ line, environment }) {
    const { healthCommand } = await import('./health.ts');
    return await healthCommand(loadConfig(line, environment), { json: line.own['json'] === true });
  },
};

const accept: Command = {
  name: 'accept',
  summary: 'accept the indexes that were held back',
  details:
    'An index that is older or much smaller than the last good one is held back. This accepts it once. A running service with the same cache directory refreshes within seconds. Run it for each replica.',
  operands: 'DATASOURCE [ARCH]',
  flags: [json],
  isConfigured: true,
  examples: ['apk-beacon accept wolfi', 'apk-beacon accept wolfi x86_64'],
  async run({ words, line, environment, signal }) {
    const { acceptCommand } = await import('./accept.ts');
    const options = { json: line.own['json'] === true, signal };
    return await acceptCommand(words, loadConfig(line, environment), options);
  },
};

const ledger: Command = {
  name: 'ledger',
  summary: 'export, import, verify or show the ledger, the record of when packages were first seen',
  details:
    'export writes lines of JSON to standard output, import reads them from standard input. Import adds new indexes; for packages of a known index it keeps the earlier date. A running service reads the dates at its next start. verify exits with 1 if the ledger is inconsistent. show lists the generations of each index, or, with --at or --generation, every package of one, as lines of JSON; DATASOURCE and ARCH limit it.',
  operands: 'ACTION [DATASOURCE [ARCH]]',
  choices: ['export', 'import', 'show', 'verify'],
  flags: [
    { name: 'at', placeholder: 'TIME', help: 'show the packages at that time, such as 2026-07-24T06:00Z' },
    { name: 'generation', placeholder: 'N', help: 'show the generation with this number' },
  ],
  isConfigured: true,
  examples: [
    'apk-beacon ledger export > ledger.jsonl',
    'apk-beacon ledger import < ledger.jsonl',
    'apk-beacon ledger show wolfi x86_64 --at 2026-07-24T06:00Z',
  ],
  async run({ words, line, environment }) {
    const { ledgerCommand } = await import('./ledger.ts');
    return await ledgerCommand(words, loadConfig(line, environment), {
      input: process.stdin,
      output: process.stdout,
      at: textOf(line.own['at']),
      generation: textOf(line.own['generation']),
    });
  },
};

const preset: Command = {
  name: 'preset',
  summary: 'print the Renovate preset',
  details:
    'The service has the same at /renovate.json. Print it for a repository of presets, or to publish it beside an export (--static). Without DATASOURCE it covers all datasources. The output is JSON.',
  operands: '[DATASOURCE …]',
  flags: [
    {
      name: 'url',
      placeholder: 'URL',
      help: 'where Renovate reaches the service or the files; by default publicUrl, or the listening address',
    },
    { name: 'static', help: 'for an export: the preset, not the service, chooses the datasource' },
  ],
  isConfigured: true,
  examples: ['apk-beacon preset --url http://apk-beacon:3000 > default.json'],
  async run({ words, line, environment }) {
    const { presetCommand } = await import('./preset.ts');
    return presetCommand(words, loadConfig(line, environment), {
      url: line.own['url'],
      isStatic: line.own['static'] === true,
    });
  },
};

const config: Command = {
  name: 'config',
  summary: 'print the effective configuration',
  details: 'The output is YAML or JSON, and --config accepts both. Passwords in URLs are masked.',
  flags: [json],
  isConfigured: true,
  examples: ['apk-beacon config --config apk-beacon.yaml'],
  async run({ line, environment }) {
    const { configCommand } = await import('./config.ts');
    return configCommand(loadConfig(line, environment), { json: line.own['json'] === true });
  },
};

const completion: Command = {
  name: 'completion',
  summary: 'print a script that completes commands and options in a shell',
  operands: 'SHELL',
  choices: ['bash', 'zsh', 'fish'],
  flags: [],
  isConfigured: false,
  examples: [
    'eval "$(apk-beacon completion bash)"',
    'apk-beacon completion zsh > "${fpath[1]}/_apk-beacon"',
    'apk-beacon completion fish > ~/.config/fish/completions/apk-beacon.fish',
  ],
  async run({ words }) {
    const { completionScript, isShell } = await import('./completion.ts');
    const [shell, ...more] = words;
    if (shell === undefined || more.length > 0 || !isShell(shell))
      throw new UsageError('usage: completion bash|zsh|fish');
    return print(completionScript(shell, commands));
  },
};

const help: Command = {
  name: 'help',
  summary: 'print this help, or the help of a command',
  operands: '[COMMAND]',
  flags: [],
  isConfigured: false,
  examples: ['apk-beacon help explain'],
  run: ({ words }) => printHelp(words),
};

const versionCommand: Command = {
  name: 'version',
  summary: 'print the version',
  flags: [json],
  isConfigured: false,
  examples: ['apk-beacon version'],
  run: ({ line }) => print(line.own['json'] === true ? `${JSON.stringify({ version })}\n` : `${version}\n`),
};

export const commands: readonly Command[] = [
  serve,
  explain,
  delta,
  check,
  pin,
  exportFiles,
  health,
  accept,
  ledger,
  preset,
  config,
  completion,
  help,
  versionCommand,
];

/** The command that `args` name, with its arguments. Throws `UsageError`. */
export function prepareCommand(
  args: readonly string[],
  environment: Environment,
  signal: AbortSignal,
): Pick<Command, 'failureCode'> & { readonly run: () => Promise<number> | number } {
  if (args.includes('--help') || args.includes('-h')) {
    const named = args.find((arg) => commands.some(({ name }) => name === arg));
    return { run: () => printHelp(named === undefined ? [] : [named]) };
  }
  if (args.includes('--version')) return { run: () => print(`${version}\n`) };
  const line = parseCommandLine(args, ownFlags());
  const [name = serve.name, ...words] = line.words;
  const command = commandNamed(name);
  expectOwnFlags(command, line.own);
  if (command.operands === undefined && words.length > 0)
    throw new UsageError(`${name} takes no argument, got ${words.join(' ')}`);
  return { ...command, run: () => command.run({ words, line, environment, signal }) };
}

/** The flags of all commands, for the parser. */
function ownFlags(): Record<string, { readonly type: 'string' | 'boolean' }> {
  return Object.fromEntries(
    commands.flatMap(({ flags }) =>
      flags.map(({ name, placeholder }) => [
        name,
        { type: placeholder === undefined ? 'boolean' : 'string' } as const,
      ]),
    ),
  );
}

function commandNamed(name: string): Command {
  const command = commands.find((each) => each.name === name);
  if (command) return command;
  const meant = nearest(
    name,
    commands.map((each) => each.name),
  );
  throw new UsageError(
    `unknown command ${name}${meant === undefined ? '; apk-beacon help lists the commands' : `, did you mean ${meant}?`}`,
  );
}

/** Throws for a flag of another command: it would have no effect. */
function expectOwnFlags(command: Command, own: CommandLine['own']): void {
  const has = ({ flags }: Command, flag: string): boolean => flags.some(({ name }) => name === flag);
  const foreign = Object.keys(own).find((flag) => own[flag] !== undefined && !has(command, flag));
  if (foreign === undefined) return;
  const owners = commands.filter((each) => has(each, foreign)).map(({ name }) => name);
  throw new UsageError(`--${foreign} belongs to the command ${owners.join(' and ')}, not to ${command.name}`);
}

async function printHelp([name, ...more]: readonly string[]): Promise<number> {
  if (more.length > 0) throw new UsageError('usage: help [COMMAND]');
  const { commandHelp, generalHelp } = await import('./help.ts');
  return print(name === undefined ? generalHelp(commands) : commandHelp(commandNamed(name)));
}

function textOf(value: string | boolean | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}
