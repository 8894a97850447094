/** Logs: JSON lines with level words, or text for people. */
import { withoutUserinfo } from '../addresses.ts';
import { pino, type DestinationStream, type Logger } from 'pino';
import { printableJsonLine } from '../errors.ts';

/** Fields that are never logged. */
const redact = ['*.authorization', '*.password', '*.token', '*.headers.authorization', 'authorization'];

interface LoggerOptions {
  /** `undefined` means text on a terminal, JSON elsewhere. */
  readonly format?: 'json' | 'text' | undefined;
  readonly terminal: boolean;
  /** A file descriptor. */
  readonly destination?: number;
}

/** For commands: standard output is for their results. */
export async function commandLogger(level: string, format?: LoggerOptions['format']): Promise<Logger> {
  return await createLogger(level, { format, terminal: process.stderr.isTTY, destination: 2 });
}

export async function createLogger(
  level: string,
  { format, terminal, destination = 1 }: LoggerOptions,
): Promise<Logger> {
  const hooks = { streamWrite: (line: string) => printableJsonLine(withoutUserinfo(line)) };
  const options = { level, redact, hooks, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  const output = outputTo(destination);
  if ((format ?? (terminal ? 'text' : 'json')) === 'json') {
    const formatters = { level: (word: string): object => ({ level: word }) };
    return pino({ ...options, formatters }, output);
  }
  const { default: pretty } = await import('pino-pretty');
  const textOf = pretty.prettyFactory({
    colorize: terminal,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss',
  });
  return pino(options, { write: (line) => output.write(textOf(line)) });
}

/** Drops what cannot be written, as to a full disk: a line that is lost must not end the service. */
function outputTo(descriptor: number): DestinationStream {
  const open = (): DestinationStream =>
    pino
      .destination({ fd: descriptor, sync: true })
      // A stream that failed keeps all further lines in memory.
      .on('error', () => {
        stream = open();
      });
  let stream = open();
  return { write: (line) => stream.write(line) };
}
