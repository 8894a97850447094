/** The text of `--help`, from the table of commands and the shared options. */
import { optionHelp } from '../config/options.ts';
import type { Command, Flag } from './command.ts';

/** Columns of a terminal. */
const WIDTH = 100;

export function generalHelp(commands: readonly Command[]): string {
  return `apk-beacon – which versions of this APK package exist?

Usage: apk-beacon [COMMAND] [options]

Commands:
${columns(commands.map((command) => [`${command.name} ${command.operands ?? ''}`.trimEnd(), command.summary]))}

Options, for all commands that read the configuration; on the right the environment variable:
${optionHelp()
  .map(({ flag, variable, help }) => `  ${flag.padEnd(27)} ${variable.padEnd(28)} ${help}`)
  .join('\n')}

apk-beacon COMMAND --help prints the flags of a command and an example.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration; check and pin fail with 3.
`;
}

export function commandHelp(command: Command): string {
  const { name, summary, details, flags, isConfigured, examples } = command;
  const parts = [
    `apk-beacon ${name} – ${summary}`,
    `Usage: ${usageOf(command)}`,
    ...(details === undefined ? [] : [wrapped(details, WIDTH).join('\n')]),
    ...(flags.length > 0 ? [`Flags:\n${columns(flags.map((flag) => [flagText(flag), flag.help]))}`] : []),
    `Example${examples.length > 1 ? 's' : ''}:\n${examples.map((example) => `  ${example}`).join('\n')}`,
    ...(isConfigured ? ['apk-beacon help lists the options of the configuration, such as --config.'] : []),
  ];
  return `${parts.join('\n\n')}\n`;
}

/** `apk-beacon explain NAME[=PIN] [--all] …` */
export function usageOf({ name, operands, flags, isConfigured }: Command): string {
  const shown = flags.map((flag) => (flag.isRequired ? flagText(flag) : `[${flagText(flag)}]`));
  return ['apk-beacon', name, operands, ...shown, isConfigured ? '[options]' : undefined]
    .filter((part) => part !== undefined)
    .join(' ');
}

export function flagText({ name, placeholder }: Flag): string {
  return placeholder === undefined ? `--${name}` : `--${name} ${placeholder}`;
}

function columns(rows: readonly (readonly [left: string, right: string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
}

function wrapped(text: string, width: number): readonly string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}
