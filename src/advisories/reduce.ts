/** Reduces a feed while it is fetched. Its first bytes show the format. */
import { createGunzip } from 'node:zlib';
import { TarFiles, zipFiles, type ArchiveFile, type ReadAt } from './archive.ts';
import { IndexError } from '../errors.ts';
import type { FeedKind } from './feed-builder.ts';
import { malformed, parseJson } from './input.ts';
import { OsvReducer } from './osv.ts';
import { reduceSecdb } from './secdb.ts';

export interface FeedFormat {
  readonly kind: FeedKind;
  /** For an OSV feed: the ecosystems of the records to keep; see `OsvReducer`. */
  readonly ecosystems?: readonly string[] | undefined;
}

export interface FeedJob extends FeedFormat {
  /** Times of records after this one (unix milliseconds) are ignored. */
  readonly latest: number;
}

/**
 * A file that is written sequentially and then read at any position; for zip, whose directory is at the end.
 */
export interface Scratch {
  readonly write: (piece: Buffer) => void;
  readonly size: () => number;
  readonly read: ReadAt;
}

/** The largest text, which is held in memory as a whole. */
const MAX_TEXT = 64 * 1024 * 1024;
/** The largest inflated size; the largest known feed has 2 GB. */
const MAX_INFLATED = 16 * 1024 ** 3;
/** Length of a header in a tar, and of the name in it: longer ones are cut there. */
const [HEADER, TAR_NAME] = [512, 100];

/** Throws `feed-malformed` for a feed of another kind or an incomplete one. */
export async function reduceFeed(
  body: AsyncIterable<Buffer>,
  { kind, ecosystems, latest }: FeedJob,
  scratch: () => Scratch,
  maxInflated = MAX_INFLATED,
): Promise<Buffer> {
  const pieces = body[Symbol.asyncIterator]();
  let first: Buffer = Buffer.alloc(0);
  for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
    first = Buffer.concat([first, next.value]);
    if (first.length >= 4) break;
  }
  const rest = async function* (): AsyncGenerator<Buffer> {
    yield first;
    for (let next = await pieces.next(); !next.done; next = await pieces.next()) yield next.value;
  };
  const isZip = first.length >= 4 && first.readUInt32LE() === 0x04034b50;
  const isGzip = first[0] === 0x1f && first[1] === 0x8b;
  if (isZip && kind === 'osv')
    return await reduceZip(rest(), new OsvReducer(latest, ecosystems), scratch(), maxInflated);
  return await reduceText(isGzip ? gunzipped(rest(), maxInflated) : rest(), { kind, ecosystems, latest });
}

/** A tar of records, or one text. */
async function reduceText(
  body: AsyncIterable<Buffer>,
  { kind, ecosystems, latest }: FeedJob,
): Promise<Buffer> {
  const reducer = new OsvReducer(latest, ecosystems);
  const tar = new TarFiles();
  const text: Buffer[] = [];
  let [length, isTar] = [0, false];
  for await (const piece of body) {
    if (isTar) addAll(reducer, tar.push(piece));
    else {
      text.push(piece);
      length += piece.length;
      if (length > MAX_TEXT) throw malformed(`a text of more than ${MAX_TEXT} bytes`);
      // The first header of a tar is complete with this piece.
      if (kind !== 'osv' || length < HEADER || length - piece.length >= HEADER) continue;
      isTar = looksLikeTar(Buffer.concat(text));
      if (isTar) addAll(reducer, tar.push(Buffer.concat(text.splice(0))));
    }
  }
  if (isTar) tar.end();
  else if (kind === 'secdb') return reduceSecdb(Buffer.concat(text).toString('utf8'));
  else addText(reducer, Buffer.concat(text));
  return finish(reducer);
}

function looksLikeTar(start: Buffer): boolean {
  return start.toString('latin1', 257, 262) === 'ustar';
}

async function reduceZip(
  body: AsyncIterable<Buffer>,
  reducer: OsvReducer,
  scratch: Scratch,
  maxInflated: number,
): Promise<Buffer> {
  for await (const piece of body) scratch.write(piece);
  addAll(reducer, withinSize(zipFiles(scratch.size(), scratch.read), maxInflated));
  return finish(reducer);
}

function* withinSize(files: Iterable<ArchiveFile>, most: number): Generator<ArchiveFile> {
  let size = 0;
  for (const file of files) {
    size += file.bytes.length;
    if (size > most) throw inflatesBeyond(most);
    yield file;
  }
}

function inflatesBeyond(most: number): Error {
  return malformed(`inflates to more than ${most} bytes`);
}

function addAll(reducer: OsvReducer, files: Iterable<ArchiveFile>): void {
  for (const { name, bytes } of files) {
    // A list of the records, which Chainguard puts beside them.
    const isJson = name.endsWith('.json') || name.length === TAR_NAME;
    if (!isJson || /(^|\/)all\.json$/.test(name)) continue;
    try {
      reducer.add(JSON.parse(bytes.toString('utf8')));
    } catch {
      reducer.skip(`${name.slice(0, 100)}: not JSON`);
    }
  }
}

/** One record, or a list of them. */
function addText(reducer: OsvReducer, bytes: Buffer): void {
  const value = parseJson(bytes.toString('utf8'));
  for (const each of Array.isArray(value) ? value : [value]) reducer.add(each);
}

function finish(reducer: OsvReducer): Buffer {
  if (reducer.records === 0) throw malformed('no records');
  return reducer.finish();
}

/** Throws `feed-malformed` for bytes that are not gzip, incomplete, or inflate to more than `most`. */
async function* gunzipped(body: AsyncIterable<Buffer>, most: number): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  const fed = (async () => {
    for await (const piece of body)
      if (!gunzip.write(piece)) await new Promise<void>((resolve) => gunzip.once('drain', resolve));
    gunzip.end();
  })().catch((error: Error) => gunzip.destroy(error));
  try {
    let size = 0;
    for await (const piece of gunzip as AsyncIterable<Buffer>) {
      size += piece.length;
      if (size > most) throw inflatesBeyond(most);
      yield piece;
    }
    await fed;
  } catch (cause) {
    if (cause instanceof IndexError) throw cause;
    throw malformed(`gzip: damaged or truncated (${cause instanceof Error ? cause.message : ''})`);
  } finally {
    gunzip.destroy();
  }
}
