/** Inflating on zlib's own thread, under the limits that hold for every format of an index. */
import { IndexError } from '../errors.ts';

export interface InflateLimits {
  /** In bytes; apko's limit is 300 MiB. */
  readonly maxInflatedBytes: number;
  /** Inflated to compressed size, checked once `RATIO_FREE_BYTES` have come. Wolfi's is 4.6. */
  readonly maxRatio: number;
}

/** Below this inflated size a bad ratio does no harm: a small index of alike packages may have one. */
const RATIO_FREE_BYTES = 16 * 1024 * 1024;

/** Of the chunks an engine should make. */
export const CHUNK_BYTES = 256 * 1024;

/** zlib's streams, as far as they are needed here. */
export interface Engine extends AsyncIterable<unknown> {
  end(compressed: Uint8Array): unknown;
  readonly bytesWritten: number;
}

/**
 * Inflates while the caller reads the chunk before. Throws `archive-malformed` for what is broken, `what` in its
 * message. Afterwards `engine.bytesWritten` tells how many bytes of `compressed` were used.
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
    throw new IndexError('archive-malformed', `${what} is not intact`, { cause });
  }
}

/** Throws `archive-too-large` once more has come than may. */
export function checkSize(inflated: number, compressed: number, limits: InflateLimits): void {
  if (inflated > limits.maxInflatedBytes) {
    throw new IndexError('archive-too-large', `inflates to more than ${limits.maxInflatedBytes} bytes`);
  }
  if (inflated > RATIO_FREE_BYTES && inflated > compressed * limits.maxRatio) {
    throw new IndexError('archive-too-large', `inflates to more than ${limits.maxRatio} times its size`);
  }
}
