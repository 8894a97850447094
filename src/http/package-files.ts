/**
 * Forwards packages from a private repository or a local folder. Nothing is stored: the next piece is read when the
 * client has taken the last one. A client that reads nothing for too long is disconnected. If a client disconnects,
 * the upstream request is aborted.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { codeOf, errorLine } from '../errors.ts';
import { FetchError } from '../repository/fetch-error.ts';
import type { PackageFile } from '../repository/live-index.ts';
import { busy, problem, type Reply } from './reply.ts';

export type FileToForward = Exclude<PackageFile, { kind: 'public' }>;

interface FileLimits {
  /** Packages at a time. */
  readonly maxFiles: number;
  readonly maxBytes: number;
  /** Milliseconds within which a client must take a piece. */
  readonly maxStall: number;
}

const defaultLimits: FileLimits = { maxFiles: 64, maxBytes: 16 * 1024 ** 3, maxStall: 30_000 };

interface SendOptions {
  readonly isHead: boolean;
  /** Names and values in turn, of whatever is answered. */
  readonly headers: readonly string[];
}

const tooMany = busy('too many packages are being forwarded');

export class PackageFiles {
  readonly #logger: { readonly warn: (message: string) => void };
  readonly #limits: FileLimits;
  readonly #underWay = new Set<AbortController>();

  constructor(logger: { readonly warn: (message: string) => void }, limits: Partial<FileLimits> = {}) {
    this.#logger = logger;
    this.#limits = { ...defaultLimits, ...limits };
  }

  /** Answers with the package. Never rejects. */
  async send(response: ServerResponse, file: FileToForward, { isHead, headers }: SendOptions): Promise<void> {
    // The client left while the package was looked up, so there will be no `close`.
    if (response.destroyed) return;
    if (this.#underWay.size >= this.#limits.maxFiles) {
      answer(response, tooMany, headers);
      return;
    }
    const going = new AbortController();
    this.#underWay.add(going);
    response.once('close', () => going.abort());
    const begin = (length: string | undefined): void => {
      response.writeHead(200, [
        ...['content-type', 'application/octet-stream', 'x-content-type-options', 'nosniff', ...headers],
        ...(length === undefined ? [] : ['content-length', length]),
      ]);
      if (isHead) going.abort();
    };
    try {
      const take = (piece: Buffer): Promise<void> => this.#take(response, piece, going.signal);
      await (file.kind === 'local'
        ? passLocal(file.path, begin, take, going.signal)
        : passRemote(file, this.#limits.maxBytes, begin, take, going.signal));
      response.end();
    } catch (error) {
      if (isHead && response.headersSent) response.end();
      else if (response.headersSent) response.destroy();
      else if (!going.signal.aborted) answer(response, this.#refusal(error), headers);
    } finally {
      this.#underWay.delete(going);
    }
  }

  /** Aborts all transfers. */
  close(): void {
    for (const going of this.#underWay) going.abort();
  }

  async #take(response: ServerResponse, piece: Buffer, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (response.write(piece)) return;
    const { maxStall } = this.#limits;
    await new Promise<void>((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(stalled);
        response.off('drain', settle).off('close', settle);
        if (response.destroyed) reject(new Error('the client disconnected'));
        else resolve();
      };
      const stalled = setTimeout(() => {
        response.destroy();
        settle();
      }, maxStall);
      response.on('drain', settle).on('close', settle);
    });
  }

  #refusal(error: unknown): Reply {
    const isGone =
      codeOf(error) === 'ENOENT' || (error instanceof FetchError && [404, 410].includes(error.status ?? 0));
    if (!isGone) this.#logger.warn(`cannot forward a package: ${errorLine(error)}`);
    const fact = isGone ? 'the repository does not have the package' : 'the package cannot be fetched';
    return problem(isGone ? 404 : 502, fact);
  }
}

type Begin = (length: string | undefined) => void;
type Take = (piece: Buffer) => Promise<void>;

async function passLocal(path: string, begin: Begin, take: Take, signal: AbortSignal): Promise<void> {
  const stats = await stat(path);
  if (!stats.isFile()) throw new Error(`${path} is not a file`);
  begin(String(stats.size));
  signal.throwIfAborted();
  if (stats.size === 0) return;
  // No more than the announced length, if the file grows meanwhile.
  const file = createReadStream(path, { end: stats.size - 1, signal });
  for await (const piece of file) await take(piece as Buffer);
  if (file.bytesRead < stats.size) throw new Error(`${path} was shortened`);
}

async function passRemote(
  { url, credential, client }: Extract<FileToForward, { kind: 'private' }>,
  maxBytes: number,
  begin: Begin,
  take: Take,
  signal: AbortSignal,
): Promise<void> {
  const onHead = (header: (name: string) => string | undefined): void => begin(header('content-length'));
  const found = await client.get(url, { credential, maxBytes, onHead, take, signal });
  if (found.status !== 200)
    throw new FetchError(`a package of ${url.host}: answered ${found.status}`, { status: found.status });
}

function answer(response: ServerResponse, { status, headers, body }: Reply, more: readonly string[]): void {
  response.writeHead(status, [...headers, ...more]).end(body);
}
