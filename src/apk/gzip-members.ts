/**
 * Gzip members. An APKINDEX.tar.gz is several gzip files in a row: signature members, then the body. Signatures cover
 * compressed bytes, so the exact end of a member matters. pako reports it, zlib does not.
 */
import { Z_NO_FLUSH, Z_OK, Z_STREAM_END, ZStream, zlibInflate, zlibInflateEnd, zlibInflateInit2 } from 'pako';
import { IndexError } from '../errors.ts';

const GZIP_WRAPPER = 31;
const BLOCK = 4096;

/** One gzip member, inflated up to a limit. */
export interface GzipMember {
  /** The inflated bytes; complete if `end` is a number. */
  readonly content: Uint8Array;
  /**
   * Offset in `bytes` after the member, or why inflating stopped early: `more` at `maxBytes`, `cut` at the end of
   * input.
   */
  readonly end: number | 'more' | 'cut';
}

/**
 * Inflates the gzip member at `start`, but at most about `maxBytes` of it.
 * Throws `archive-malformed` if it is not gzip.
 */
export function inflateMember(bytes: Uint8Array, start: number, maxBytes: number): GzipMember {
  const stream = new ZStream();
  zlibInflateInit2(stream, GZIP_WRAPPER);
  stream.input = bytes.subarray(start);
  stream.avail_in = stream.input.length;
  const content = new Uint8Array(maxBytes + BLOCK);
  stream.output = content;
  stream.avail_out = content.length;
  try {
    const status = zlibInflate(stream, Z_NO_FLUSH);
    if (status === Z_STREAM_END) {
      return { content: content.subarray(0, stream.next_out), end: start + stream.next_in };
    }
    if (status === Z_OK && stream.avail_out === 0) return { content, end: 'more' };
    if (stream.avail_in === 0 && stream.msg === '')
      return { content: content.subarray(0, stream.next_out), end: 'cut' };
    throw new IndexError('archive-malformed', `gzip member at byte ${start}: ${stream.msg}`);
  } finally {
    zlibInflateEnd(stream);
  }
}

/** Whether a gzip member begins at `start` (deflate is the only method). */
export function isGzip(bytes: Uint8Array, start = 0): boolean {
  return bytes[start] === 0x1f && bytes[start + 1] === 0x8b && bytes[start + 2] === 8;
}
