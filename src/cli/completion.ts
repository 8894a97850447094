/** Completion scripts for shells, from the table of commands and the shared options. */
import { optionHelp } from '../config/options.ts';
import type { Command } from './command.ts';

const scripts = { bash, zsh, fish } as const;

export type Shell = keyof typeof scripts;

export function isShell(word: string): word is Shell {
  return Object.hasOwn(scripts, word);
}

export function completionScript(shell: Shell, commands: readonly Command[]): string {
  return scripts[shell](commands.map(completable));
}

/** What can be completed for a command. */
interface Completable {
  readonly name: string;
  readonly summary: string;
  /** Possible first arguments. */
  readonly choices: readonly string[];
  readonly flags: readonly CompletableFlag[];
}

interface CompletableFlag {
  readonly name: string;
  readonly help: string;
  readonly value: 'none' | 'file' | 'folder' | 'text';
  readonly choices: readonly string[];
}

function completable(command: Command, _: number, all: readonly Command[]): Completable {
  const own = command.flags.map((flag) => ({ ...flag, choices: [] }));
  const flags = command.isConfigured ? [...own, ...optionHelp()] : own;
  return {
    name: command.name,
    summary: command.summary,
    choices: command.choices ?? (command.name === 'help' ? all.map(({ name }) => name) : []),
    flags: flags.map(({ name, help, placeholder, choices }) => ({
      name,
      help,
      value: valueOf(placeholder),
      choices,
    })),
  };
}

function valueOf(placeholder: string | undefined): CompletableFlag['value'] {
  if (placeholder === undefined) return 'none';
  if (/FILE/.test(placeholder)) return 'file';
  return /DIR/.test(placeholder) ? 'folder' : 'text';
}

/** Flags of all commands by name, once each. */
function distinctFlags(commands: readonly Completable[]): readonly CompletableFlag[] {
  return [...new Map(commands.flatMap(({ flags }) => flags.map((flag) => [flag.name, flag]))).values()];
}

const longFlags = (flags: readonly CompletableFlag[]): string =>
  flags.map(({ name }) => `--${name}`).join(' ');

/** Does not need the package bash-completion. */
function bash(commands: readonly Completable[]): string {
  const names = commands.map(({ name }) => name);
  const valued = distinctFlags(commands).filter(({ value }) => value !== 'none');
  const replies = valued.map(({ name, value, choices }) => {
    const reply = {
      file: 'COMPREPLY=($(compgen -f -- "$current"))',
      folder: 'COMPREPLY=($(compgen -d -- "$current"))',
      text: choices.length > 0 ? `COMPREPLY=($(compgen -W "${choices.join(' ')}" -- "$current"))` : ':',
      none: ':',
    }[value];
    return `    --${name}) ${reply}; return ;;`;
  });
  const words = commands.map(
    ({ name, choices, flags }) =>
      `    ${name}) words="${[...choices, longFlags(flags), '--help'].join(' ').trim()}" ;;`,
  );
  const [serve] = commands;
  return `# bash completion for apk-beacon: eval "$(apk-beacon completion bash)"
_apk_beacon() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command= word words
  COMPREPLY=()
  case $previous in
${replies.join('\n')}
  esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
    ${names.join('|')}) command=$word; break ;;
    esac
  done
  case $command in
${words.join('\n')}
    *) words="${[...names, longFlags(serve?.flags ?? []), '--help', '--version'].join(' ')}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o filenames -F _apk_beacon apk-beacon
`;
}

function zsh(commands: readonly Completable[]): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  /** Text of an `_arguments` specification. */
  const plain = (text: string): string => text.replaceAll(/[[\]:\\]/g, '\\$&');
  const specification = ({ name, help, value, choices }: CompletableFlag): string => {
    const action = { none: '', file: ':file:_files', folder: ':folder:_files -/', text: ':value:' }[value];
    return quoted(
      `--${name}[${plain(help)}]${choices.length > 0 ? `:value:(${choices.join(' ')})` : action}`,
    );
  };
  const cases = commands.map(({ name, choices, flags }) => {
    const first = choices.length > 0 ? [quoted(`1:word:(${choices.join(' ')})`)] : [];
    const all = [...first, ...flags.map(specification), quoted('--help[print help]')];
    return `    ${name})\n      arguments=(\n${all.map((each) => `        ${each}`).join('\n')}\n      ) ;;`;
  });
  return `#compdef apk-beacon
# zsh completion for apk-beacon: apk-beacon completion zsh > "\${fpath[1]}/_apk-beacon"
_apk-beacon() {
  local -a commands arguments
  local command=\${words[2]}
  commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join('\n')}
  )
  if (( CURRENT == 2 )) && [[ $command != -* ]]; then
    _describe command commands
    return
  fi
  case $command in
${cases.join('\n')}
    *)
      command=serve
      arguments=(${(commands[0]?.flags ?? []).map(specification).join(' ')}) ;;
  esac
  if [[ \${words[2]} == $command ]]; then
    shift words
    (( CURRENT-- ))
  fi
  _arguments $arguments
}
if [[ $funcstack[1] == _apk-beacon ]]; then
  _apk-beacon "$@"
else
  compdef _apk-beacon apk-beacon
fi
`;
}

function fish(commands: readonly Completable[]): string {
  const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const value = ({ value: kind, choices }: CompletableFlag): string =>
    choices.length > 0
      ? ` -x -a ${quoted(choices.join(' '))}`
      : { none: '', file: ' -r -F', folder: " -x -a '(__fish_complete_directories)'", text: ' -x' }[kind];
  const lines = commands.flatMap(({ name, summary, choices, flags }, i) => {
    const seen = `__fish_seen_subcommand_from ${name}`;
    // The first command is the default.
    const condition = quoted(i === 0 ? `${seen}; or __fish_use_subcommand` : seen);
    return [
      `complete -c apk-beacon -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
      ...(choices.length > 0
        ? [`complete -c apk-beacon -n ${quoted(seen)} -a ${quoted(choices.join(' '))}`]
        : []),
      ...flags.map(
        (flag) =>
          `complete -c apk-beacon -n ${condition} -l ${flag.name}${value(flag)} -d ${quoted(flag.help)}`,
      ),
    ];
  });
  return `# fish completion for apk-beacon: apk-beacon completion fish > ~/.config/fish/completions/apk-beacon.fish
complete -c apk-beacon -f
complete -c apk-beacon -l help -d 'print help'
${lines.join('\n')}
`;
}
