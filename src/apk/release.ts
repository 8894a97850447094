/**
 * Gives the memory of `bytes` back at once instead of when the garbage collector looks for it, which may be tens of
 * megabytes later. Only where they are all of their buffer, so that nobody else can have a use for it; they are empty
 * afterwards.
 */
export function release({ buffer, byteLength }: ArrayBufferView): void {
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) buffer.transfer(0);
}
