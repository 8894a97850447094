/** The man page, from the table of commands and the options of the configuration. */
import type { Command, Flag } from '../src/cli/command.ts';
import { flagText } from '../src/cli/help.ts';
import { optionHelp } from '../src/config/options.ts';

export function manPage(commands: readonly Command[]): string {
  return [
    '.\\" Written by `npm run docs`. Do not edit.',
    '.TH APK\\-BEACON 1',
    '.SH NAME',
    `apk\\-beacon \\- ${roff('which versions of an APK package can be pinned')}`,
    '.SH SYNOPSIS',
    '.B apk\\-beacon',
    roff('[COMMAND] [options]'),
    '.SH COMMANDS',
    ...commands.flatMap(section),
    '.SH OPTIONS',
    roff('For all commands that read the configuration. The environment variable follows in parentheses.'),
    ...optionHelp().flatMap(({ flag, variable, help }) =>
      entry(flag, variable === '' ? help : `${help} (${variable})`),
    ),
    '.SH EXIT STATUS',
    roff('0 done, 1 failed, 2 wrong usage or configuration; check and pin fail with 3.'),
    '',
  ].join('\n');
}

function section({ name, operands, summary, details, flags, examples }: Command): readonly string[] {
  return [
    '.SS',
    roff([name, operands].filter((part) => part !== undefined).join(' ')),
    roff(sentences(summary, details)),
    ...flags.flatMap((flag: Flag) => entry(flagText(flag), flag.help)),
    '.PP',
    '.EX',
    ...examples.map(roff),
    '.EE',
  ];
}

function entry(term: string, text: string): readonly string[] {
  return ['.TP', `.B ${roff(term)}`, roff(text)];
}

function sentences(summary: string, details: string | undefined): string {
  const first = `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
  return details === undefined ? first : `${first} ${details}`;
}

/** Text that roff prints as it is. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\(rs')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/, '\\&')
    .replace(
      /[^\0-\x7e]/g,
      (other) => `\\[u${other.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase()}]`,
    );
}
