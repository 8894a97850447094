/** Logs: JSON lines, or readable ones on a terminal. */
import { pino, type Logger } from 'pino';
import { printableJsonLine, withoutUserinfo } from '../errors.ts';

/** Never written, wherever they turn up in what is logged. */
const redact = ['*.authorization', '*.password', '*.token', '*.headers.authorization', 'authorization'];

export async function createLogger(
  level: string,
  { terminal, destination = 1 }: { terminal: boolean; destination?: number },
): Promise<Logger> {
  const hooks = { streamWrite: (line: string) => printableJsonLine(withoutUserinfo(line)) };
  const options = { level, redact, hooks, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (!terminal) return pino(options, pino.destination({ fd: destination, sync: true }));
  const { default: pretty } = await import('pino-pretty');
  const stream = pretty({
    colorize: true,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss',
    destination,
    sync: true,
  });
  return pino(options, stream);
}
