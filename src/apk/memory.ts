/**
 * Memory for tables. The C library maps each block above 32 MiB separately (the maximum of glibc's M_MMAP_THRESHOLD):
 * only pages that are written to take memory, and all of it returns to the system when freed. Smaller blocks come from
 * a heap, which keeps freed megabytes. So everything an index needs is cut out of one large block.
 */

const ALWAYS_MAPPED = 33 * 1024 * 1024;
/** Below this size the heap is better: it keeps little, and many small indexes would need many maps. */
const SMALL = 2 * 1024 * 1024;

// V8 compiles code on the assumption that buffers are never detached, and drops all of it when the first one is. So one
// is detached before anything is compiled.
new ArrayBuffer(1).transfer(0);

/** A zeroed buffer of at least `byteLength` bytes. Only pages that are written to take memory. */
export function reserve(byteLength: number): ArrayBuffer {
  return new ArrayBuffer(byteLength < SMALL ? byteLength : Math.max(byteLength, ALWAYS_MAPPED));
}

/**
 * Bytes for a short time, such as an archive until it is read. A resizable buffer is mapped separately at any size, but
 * reading single elements is slow. Use for bulk copies only.
 */
export function temporaryBytes(byteLength: number): Buffer<ArrayBuffer> {
  return Buffer.from(new ArrayBuffer(byteLength, { maxByteLength: byteLength }), 0, byteLength);
}

/**
 * Releases the memory of `view` at once. The garbage collector may do so only tens of megabytes later. Does nothing if
 * the buffer has other bytes, which may be in use. The view is empty afterwards.
 */
export function release({ buffer, byteLength }: ArrayBufferView): void {
  if (!(buffer instanceof ArrayBuffer) || byteLength !== buffer.byteLength) return;
  if (buffer.resizable) buffer.resize(0);
  else buffer.transfer(0);
}

/** One reserved block, cut into arrays from its start. An array that no longer fits gets its own block. */
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

  /** Releases the memory at once. All arrays that were cut from it are empty afterwards. */
  release(): void {
    this.#buffer.transfer(0);
  }

  /** The offset of `byteLength` free bytes, aligned for numbers; `undefined` if there are not enough. */
  #take(byteLength: number): number | undefined {
    const start = Math.ceil(this.#end / 4) * 4;
    if (start + byteLength > this.#buffer.byteLength) return undefined;
    this.#end = start + byteLength;
    return start;
  }
}

/** A copy of twice the size, or at least `atLeast`, outside any arena. */
export function grown<T extends Uint32Array | Uint8Array>(array: T, atLeast = 0): T {
  const length = Math.max(array.length * 2, atLeast);
  const copy = array instanceof Uint32Array ? new Uint32Array(length) : new Uint8Array(length);
  copy.set(array);
  return copy as T;
}
