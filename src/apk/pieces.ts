/** Going over many bytes a little at a time: what is computed over megabytes must not keep others waiting. */

/** Lets others have their turn; called often, and mostly does nothing. */
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
