/**
 * The outer layers of ADB, the file format of apk 3: the envelope and the blocks in it. All numbers are little-endian.
 *
 *   envelope: "ADB." and the file itself, "ADBd" and the file as raw deflate, or "ADBc", a byte for the algorithm
 *             (0 none, 1 raw deflate, 2 zstd), a byte for the level, and the compressed file
 *   file:     "ADB.", the schema (4 bytes), blocks; each is padded to a multiple of 8
 *   block:    a word of type (2 bits: 0 values, 1 signature, 2 data) and size (30 bits, word included), content
 *   or:       a word of 3 (2 bits) and type (30 bits), 4 reserved bytes, size (8 bytes, all 16 included), content
 *
 * An index has one block of values, then any number of signatures. Only schema, values and the heads of signatures are
 * signed: anyone can append or drop a signature and change the padding.
 */
import { createInflateRaw, createZstdDecompress } from 'node:zlib';
import { IndexError } from '../errors.ts';
import { checkSize, CHUNK_BYTES, inflate, type Engine, type InflateLimits } from './inflate.ts';
import { release, reserve } from './memory.ts';
import type { Pause } from './pieces.ts';

export interface AdbFile {
  /** Four bytes that name the type of the values. */
  readonly schema: Buffer;
  /** The values. At least `ROOM` bytes of memory after them are readable too. */
  readonly values: Buffer;
  /** The contents of the signature blocks. */
  readonly signatures: readonly Buffer[];
}

export interface OpenOptions {
  readonly limits: InflateLimits;
  readonly pause?: Pause | undefined;
  readonly signal?: AbortSignal | undefined;
}

const MAGIC = 'ADB.';
const HEADER_BYTES = 8;
const ALIGNMENT = 8;
/** Word reads go beyond the end of the data. */
const ROOM = 8;
/** Values are addressed with 28 bits; the rest is for the envelope and signatures. */
const MAX_FILE_BYTES = 256 * 1024 * 1024 + 64 * 1024;
/** apk refuses smaller ones, even an empty index. */
const MIN_VALUES_BYTES = 16;
/** The size of apk's buffer; apk refuses files with longer signature blocks. */
const MAX_SIGNATURE_BYTES = 128 * 1024;
const MAX_SIGNATURES = 4096;
/** Parallel compressors write a frame every few megabytes. */
const MAX_FRAMES = 1024;
const [VALUES, SIGNATURE] = [0, 1];
/** Real indexes inflate to two or three times their size. */
const USUAL_RATIO = 4;
const LARGEST_CHUNK = 64 * 1024 * 1024;

/** Whether these bytes are an ADB, judged by content, not by file name. */
export function isAdb(bytes: Uint8Array): boolean {
  return bytes[0] === 0x41 && bytes[1] === 0x44 && bytes[2] === 0x42;
}

/** Removes the envelope and finds the blocks. Does not read any value. */
export async function openAdb(bytes: Uint8Array, options: OpenOptions): Promise<AdbFile> {
  const file = await unwrap(bytes, options);
  if (file.length < HEADER_BYTES || file.toString('latin1', 0, 4) !== MAGIC)
    throw new IndexError('archive-malformed', 'no ADB in its envelope');
  let values: Buffer | undefined;
  const signatures: Buffer[] = [];
  for (const { type, content, at } of blocks(file)) {
    if (type === VALUES && !values) values = content;
    else if (type !== SIGNATURE || !values) {
      throw new IndexError('archive-malformed', `ADB block at byte ${at} has an unexpected type`);
    } else if (content.length > MAX_SIGNATURE_BYTES || signatures.length === MAX_SIGNATURES) {
      const most = `${MAX_SIGNATURES} of ${MAX_SIGNATURE_BYTES} bytes`;
      throw new IndexError('archive-malformed', `more signatures than ${most}, or longer ones`);
    } else signatures.push(content);
  }
  if (!values || values.length < MIN_VALUES_BYTES)
    throw new IndexError('archive-malformed', 'the ADB block is too short');
  return { schema: file.subarray(4, HEADER_BYTES), values, signatures };
}

/** Releases the memory at once; all buffers are empty afterwards. */
export function closeAdb({ values }: AdbFile): void {
  if (values.buffer instanceof ArrayBuffer) values.buffer.transfer(0);
}

/** The inflated file in its own memory, fast to read. */
async function unwrap(bytes: Uint8Array, options: OpenOptions): Promise<Buffer> {
  switch (bytes[3]) {
    case 0x2e: // .
      return copied([bytes], options.limits);
    case 0x64: // d
      return inflated(bytes.subarray(4), 1, options);
    case 0x63: // c
      if (bytes.length < 6) throw new IndexError('archive-malformed', `an ADB of only ${bytes.length} bytes`);
      return inflated(bytes.subarray(6), bytes[4], options);
    case undefined:
    default:
      throw new IndexError('index-unsupported', 'an ADB in an envelope of an unknown kind');
  }
}

async function inflated(
  body: Uint8Array,
  algorithm: number | undefined,
  options: OpenOptions,
): Promise<Buffer> {
  switch (algorithm) {
    case 0:
      return copied([body], options.limits);
    case 1:
      return joined(await chunksOf(body, deflated, options), options.limits);
    case 2:
      return joined(await chunksOf(body, zstdFrames, options), options.limits);
    case undefined:
    default:
      throw new IndexError('index-unsupported', `an ADB compressed with the unknown algorithm ${algorithm}`);
  }
}

/** Joins chunks into one buffer and releases each after copying. */
function copied(chunks: readonly Uint8Array[], { maxInflatedBytes }: InflateLimits): Buffer {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const most = Math.min(maxInflatedBytes, MAX_FILE_BYTES);
  if (length > most) throw new IndexError('archive-too-large', `an ADB of more than ${most} bytes`);
  const file = Buffer.from(reserve(length + ROOM), 0, length);
  let at = 0;
  for (const chunk of chunks) {
    file.set(chunk, at);
    at += chunk.length;
    if (chunks.length > 1) release(chunk);
  }
  return file;
}

/** The only chunk if there is room after it, otherwise a joined copy. */
function joined(chunks: readonly Buffer[], limits: InflateLimits): Buffer {
  const [only] = chunks;
  const isWhole = chunks.length === 1 && only !== undefined;
  return isWhole && only.buffer.byteLength - only.byteOffset - only.length >= ROOM
    ? only
    : copied(chunks, limits);
}

/** Large enough for one chunk in most cases, which avoids a copy. Untouched pages take no memory. */
function chunkSize(body: Uint8Array): number {
  return Math.min(LARGEST_CHUNK, Math.max(CHUNK_BYTES, body.length * USUAL_RATIO));
}

async function chunksOf(
  body: Uint8Array,
  streams: (body: Uint8Array, signal: AbortSignal | undefined) => AsyncIterable<Buffer>,
  { limits, pause, signal }: OpenOptions,
): Promise<Buffer[]> {
  const most = { ...limits, maxInflatedBytes: Math.min(limits.maxInflatedBytes, MAX_FILE_BYTES) };
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of streams(body, signal)) {
    size += chunk.length;
    checkSize(size, body.length, most);
    chunks.push(chunk);
    await pause?.();
  }
  return chunks;
}

async function* deflated(body: Uint8Array, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  const used = yield* stream(createInflateRaw({ chunkSize: chunkSize(body) }), body, signal);
  if (used !== body.length)
    throw new IndexError('archive-malformed', `${body.length - used} bytes after the deflate stream`);
}

/** Inflates frame by frame, because Node's decoder silently stops after the first. */
async function* zstdFrames(body: Uint8Array, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  let frames = 0;
  for (let at = 0; at < body.length; frames += 1) {
    const frame = body.subarray(at);
    const skipped = skippableFrame(frame);
    if (frames === MAX_FRAMES)
      throw new IndexError('archive-malformed', `more than ${MAX_FRAMES} zstd frames`);
    if (skipped > frame.length) throw new IndexError('archive-malformed', 'its last zstd frame is truncated');
    at +=
      skipped ||
      (yield* stream(
        createZstdDecompress({ chunkSize: frames === 0 ? chunkSize(body) : CHUNK_BYTES }),
        frame,
        signal,
      ));
  }
}

/** Inflates the start of `body` and returns the number of bytes consumed, at least one. */
async function* stream(
  engine: Engine,
  body: Uint8Array,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, number> {
  yield* inflate(engine, body, 'the ADB', signal);
  if (engine.bytesWritten === 0) throw new IndexError('archive-malformed', 'the ADB is damaged');
  return engine.bytesWritten;
}

/** The length of a skippable frame (RFC 8878, 3.1.2); 0 if it is none. */
function skippableFrame(bytes: Uint8Array): number {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(8, bytes.length));
  return head.length === 8 && head.readUInt32LE(0) >>> 4 === 0x184d2a5 ? 8 + head.readUInt32LE(4) : 0;
}

interface Block {
  readonly type: number;
  readonly content: Buffer;
  readonly at: number;
}

/** The blocks of a file. The last block must end at the end of the file. */
function* blocks(file: Buffer): Generator<Block> {
  for (let at = HEADER_BYTES; at < file.length;) {
    const { type, header, size } = blockHeader(file, at);
    // Up to the next block. A 64-bit size may lose precision as a number, but stays too large to be accepted.
    const next = Math.ceil((at + size) / ALIGNMENT) * ALIGNMENT;
    if (size < header || next > file.length)
      throw new IndexError('archive-malformed', `ADB block at byte ${at} does not fit into the file`);
    yield { type, content: file.subarray(at + header, at + size), at };
    at = next;
  }
}

function blockHeader(file: Buffer, at: number): { type: number; header: number; size: number } {
  const left = file.length - at;
  const word = left >= 4 ? file.readUInt32LE(at) : 0;
  if (word >>> 30 < 3) return { type: word >>> 30, header: 4, size: word & 0x3fffffff };
  const size = left >= 16 ? Number(file.readBigUInt64LE(at + 8)) : 0;
  return { type: word & 0x3fffffff, header: 16, size };
}
