/**
 * Memory for tables. The C library maps every piece above 32 MiB for itself (glibc's M_MMAP_THRESHOLD never rises above
 * that): it costs only the pages that are written to, and goes back to the system whole. Smaller pieces come from a
 * heap that, once many megabytes were freed in it, keeps them. So what an index needs is cut out of one large piece.
 */

const ALWAYS_MAPPED = 33 * 1024 * 1024;
/** Below this size a heap that keeps what was freed does no harm, and a map for each of many small indexes would. */
const SMALL = 2 * 1024 * 1024;

/** A buffer of at least so many bytes, all zero. It takes memory only where it is written to. */
export function reserve(byteLength: number): ArrayBuffer {
  return new ArrayBuffer(byteLength < SMALL ? byteLength : Math.max(byteLength, ALWAYS_MAPPED));
}

/**
 * Bytes for a while, such as an archive until it is read. A buffer that can be resized is mapped for itself whatever
 * its size, but reading it element by element is slow: it is for those who take it as a whole.
 */
export function borrowBytes(byteLength: number): Buffer<ArrayBuffer> {
  return Buffer.from(new ArrayBuffer(byteLength, { maxByteLength: byteLength }), 0, byteLength);
}

/**
 * Gives the memory of `view` back at once instead of when the garbage collector looks for it, which may be tens of
 * megabytes later. Only where it is all of its buffer, so that nobody else can have a use for it; it is empty afterwards.
 */
export function release({ buffer, byteLength }: ArrayBufferView): void {
  if (!(buffer instanceof ArrayBuffer) || byteLength !== buffer.byteLength) return;
  if (buffer.resizable) buffer.resize(0);
  else buffer.transfer(0);
}

/** One reserved piece, cut into arrays from its beginning. What does not fit any more becomes a piece of its own. */
export class Arena {
  readonly #buffer: ArrayBuffer;
  #end = 0;

  constructor(byteLength: number) {
    this.#buffer = reserve(byteLength);
  }

  numbers(count: number): Uint32Array<ArrayBuffer> {
    const start = this.#take(count * 4);
    return start === undefined ? new Uint32Array(count) : new Uint32Array(this.#buffer, start, count);
  }

  bytes(count: number): Uint8Array<ArrayBuffer> {
    const start = this.#take(count);
    return start === undefined ? new Uint8Array(count) : new Uint8Array(this.#buffer, start, count);
  }

  /** Where there is room for so many bytes, aligned for numbers; `undefined` where there is none. */
  #take(byteLength: number): number | undefined {
    const start = Math.ceil(this.#end / 4) * 4;
    if (start + byteLength > this.#buffer.byteLength) return undefined;
    this.#end = start + byteLength;
    return start;
  }
}

/** A copy with twice the room or `atLeast` so much, outside of any arena. */
export function grown<T extends Uint32Array | Uint8Array>(array: T, atLeast = 0): T {
  const length = Math.max(array.length * 2, atLeast);
  const copy = array instanceof Uint32Array ? new Uint32Array(length) : new Uint8Array(length);
  copy.set(array);
  return copy as T;
}
