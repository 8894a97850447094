/** Logs: JSON lines with level words, or text for people. */
import { withoutUserinfo } from '../addresses.ts';
import { pino, type Logger } from 'pino';
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
  if ((format ?? (terminal ? 'text' : 'json')) === 'json') {
    const formatters = { level: (word: string): object => ({ level: word }) };
    return pino({ ...options, formatters }, pino.destination({ fd: destination, sync: true }));
  }
  const { default: pretty } = await import('pino-pretty');
  const stream = pretty({
    colorize: terminal,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss',
    destination,
    sync: true,
  });
  return pino(options, stream);
}
