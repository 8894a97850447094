import { redactUrl } from '../addresses.ts';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { constants, gunzip, gunzipSync } from 'node:zlib';
import { temporaryBytes } from '../apk/memory.ts';
import { isAdb } from '../apk/adb-file.ts';
import { isGzip } from '../apk/gzip-members.ts';
import { codeOf, cut } from '../errors.ts';
import {
  getIfChanged,
  statIfChanged,
  validatorsOf,
  type ConditionalGet,
  type Validators,
} from './conditional.ts';
import { FetchError } from './fetch-error.ts';
import type { UpstreamAnswer } from './upstream-client.ts';

export type IndexFetch =
  | { readonly status: 'modified'; readonly bytes: Uint8Array; readonly validators: Validators }
  | { readonly status: 'not-modified' };

export interface FetchIndexOptions extends ConditionalGet {
  /** The address to try if nothing is at the location. */
  readonly alternative?: string | undefined;
}

/**
 * Fetches one index from an http(s) or `file:` URL or a path, unless `validators` still match. Throws a `FetchError`
 * with the path or the URL without secrets.
 */
export async function fetchIndex(location: URL | string, options: FetchIndexOptions): Promise<IndexFetch> {
  const { alternative, validators } = options;
  const validatorsHere = validators?.alternative ? undefined : validators;
  try {
    return await fetchFrom(location, { ...options, validators: validatorsHere });
  } catch (error) {
    if (alternative === undefined || !isNothingThere(error)) throw error;
    const validatorsThere = validators?.alternative ? validators : undefined;
    const found = await fetchFrom(alternative, { ...options, validators: validatorsThere }).catch(
      (second: unknown) => {
        throw isNothingThere(second) ? error : second;
      },
    );
    if (found.status === 'not-modified') return found;
    return { ...found, validators: { ...found.validators, alternative: true } };
  }
}

/** Object stores answer 403 for missing objects, too. */
const NOTHING_THERE = [403, 404, 410];

function isNothingThere(error: unknown): boolean {
  if (!(error instanceof FetchError)) return false;
  const { status, cause } = error;
  return status === undefined ? codeOf(cause) === 'ENOENT' : NOTHING_THERE.includes(status);
}

async function fetchFrom(location: URL | string, options: FetchIndexOptions): Promise<IndexFetch> {
  const url = typeof location === 'string' ? URL.parse(location) : location;
  if (url === null) return readLocal(String(location), options);
  if (url.protocol === 'file:') return readLocal(fileURLToPath(url), options);
  if (url.protocol === 'http:' || url.protocol === 'https:') return fetchRemote(url, options);
  throw new FetchError(`${redactUrl(url)}: only http, https and file URLs can be fetched`);
}

async function fetchRemote(url: URL, options: FetchIndexOptions): Promise<IndexFetch> {
  const answer = await getIfChanged(url, options);
  if (!answer) return { status: 'not-modified' };
  const bytes = await withoutContentEncoding(url, answer, options.maxBytes);
  return { status: 'modified', bytes, validators: validatorsOf(answer) };
}

/** A server may list several encodings, and a gateway may add its own. */
const MAX_ENCODINGS = 3;

/**
 * Removes content encodings that were added on the way. Some servers compress the archive although asked not to. Others
 * call a .gz file encoded (Apache's `AddEncoding`), or name something that is not an encoding (`aws-chunked`, `none`,
 * `utf-8`). So only the body counts: an index is gzip or ADB, and its signature decides.
 */
async function withoutContentEncoding(
  url: URL,
  answer: UpstreamAnswer,
  maxBytes: number,
): Promise<Uint8Array> {
  const header = answer.header('content-encoding')?.toLowerCase() ?? '';
  const encodings = header.split(',').map((each) => each.trim());
  let { bytes } = answer;
  if (encodings.some((each) => NOT_GZIP.test(each)) && !isIndex(bytes)) {
    throw new FetchError(
      `${redactUrl(url)}: content-encoding ${JSON.stringify(cut(header))}, which was not requested`,
    );
  }
  if (!encodings.some((each) => each === 'gzip' || each === 'x-gzip')) return bytes;
  for (let unwrapped = 0; unwrapped < MAX_ENCODINGS && holdsIndex(bytes); unwrapped += 1)
    bytes = await gunzipped(url, bytes, maxBytes);
  return bytes;
}

/** Registered encodings that are not supported (RFC 9110, 8.4.1). */
const NOT_GZIP = /^(?:br|(?:x-)?compress|deflate|zstd|dcb|dcz|exi|pack200-gzip)$/;

async function gunzipped(url: URL, bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: maxBytes });
  } catch (cause) {
    if (cause instanceof RangeError) {
      const message = `${redactUrl(url)}: without its content-encoding more than the ${maxBytes} bytes allowed`;
      throw new FetchError(message, { code: 'fetch-too-large', cause });
    }
    throw new FetchError(`${redactUrl(url)}: content-encoding gzip cannot be removed`, { cause });
  }
}

function isIndex(bytes: Uint8Array): boolean {
  return isGzip(bytes) || isAdb(bytes);
}

/** Whether `bytes` are an index within gzip. The first few bytes are enough and cannot inflate to much. */
function holdsIndex(bytes: Uint8Array): boolean {
  try {
    const inside = gunzipSync(bytes.subarray(0, 1024), { finishFlush: constants.Z_SYNC_FLUSH });
    return isIndex(inside);
  } catch {
    return false;
  }
}

async function readLocal(path: string, options: FetchIndexOptions): Promise<IndexFetch> {
  const { validators, maxBytes, onProgress, signal } = options;
  signal?.throwIfAborted();
  try {
    const changed = await statIfChanged(path, validators);
    if (!changed) return { status: 'not-modified' };
    const bytes = await readFileBytes(path, maxBytes, signal);
    onProgress?.(bytes.length, bytes.length);
    return { status: 'modified', bytes, validators: { etag: changed.etag } };
  } catch (cause) {
    if (cause instanceof FetchError || signal?.aborted) throw cause;
    throw new FetchError(`cannot read ${path}`, { cause });
  }
}

/** Reads up to the size at opening; if the file grows meanwhile, the next refresh gets the rest. */
async function readFileBytes(
  path: string,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size > maxBytes) {
      const message = `${path}: ${size} bytes are more than the ${maxBytes} allowed`;
      throw new FetchError(message, { code: 'fetch-too-large' });
    }
    const bytes = temporaryBytes(size);
    for (let length = 0; length < size;) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(bytes, length, size - length);
      if (bytesRead === 0) throw new FetchError(`${path} was truncated while it was read`);
      length += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
