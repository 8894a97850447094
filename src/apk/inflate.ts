/** Inflates on zlib's thread, with the limits that apply to every index format. */
import { IndexError } from '../errors.ts';

export interface InflateLimits {
  /** In bytes; apko's limit is 300 MiB. */
  readonly maxInflatedBytes: number;
  /** Inflated to compressed size, checked after `RATIO_FREE_BYTES`. Wolfi's is 4.6. */
  readonly maxRatio: number;
}

/** Below this inflated size the ratio is not checked: a small index of similar packages may have a high one. */
const RATIO_FREE_BYTES = 16 * 1024 * 1024;

/** Size of the chunks an engine should produce. */
export const CHUNK_BYTES = 256 * 1024;

/** The part of zlib's streams that is used here. */
export interface Engine extends AsyncIterable<unknown> {
  end(compressed: Uint8Array): unknown;
  readonly bytesWritten: number;
}

/**
 * Inflates while the caller reads the previous chunk. Throws `archive-malformed` for broken data; the message names
 * `what`. Afterwards `engine.bytesWritten` is the number of bytes of `compressed` that were used.
 */
export async function* inflate(
  engine: Engine,
  compressed: Uint8Array,
  what: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  engine.end(compressed);
  try {
    for await (const chunk of engine) {
      signal?.throwIfAborted();
      yield chunk as Buffer;
    }
  } catch (cause) {
    if (cause instanceof IndexError || signal?.aborted) throw cause;
    throw new IndexError('archive-malformed', `${what} is damaged`, { cause });
  }
}

/** Throws `archive-too-large` above the limits. */
export function checkSize(inflated: number, compressed: number, limits: InflateLimits): void {
  if (inflated > limits.maxInflatedBytes) {
    throw new IndexError('archive-too-large', `inflates to more than ${limits.maxInflatedBytes} bytes`);
  }
  if (inflated > RATIO_FREE_BYTES && inflated > compressed * limits.maxRatio) {
    throw new IndexError('archive-too-large', `inflates to more than ${limits.maxRatio} times its size`);
  }
}
