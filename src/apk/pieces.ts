/** Splits long computations, so that they do not block requests. */
import { createHash } from 'node:crypto';

/** Yields to other work. Called often; usually does nothing. */
export type Pause = () => Promise<void> | undefined;

/** Less than half a millisecond of hashing. */
const PIECE_BYTES = 256 * 1024;

export async function inPieces(
  bytes: Uint8Array,
  pause: Pause | undefined,
  use: (piece: Uint8Array) => void,
): Promise<void> {
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
    use(bytes.subarray(start, start + PIECE_BYTES));
    await pause?.();
  }
}

/** `algorithm` is a name from Node's crypto. */
export async function hashOf(
  bytes: Uint8Array,
  algorithm: string,
  pause: Pause | undefined,
): Promise<Buffer> {
  const hash = createHash(algorithm);
  await inPieces(bytes, pause, (piece) => hash.update(piece));
  return hash.digest();
}

/** The result of `work`, with a pause after each step. */
export async function inSteps<T>(work: Generator<undefined, T>, pause: Pause | undefined): Promise<T> {
  let step = work.next();
  for (; !step.done; step = work.next()) await pause?.();
  return step.value;
}
