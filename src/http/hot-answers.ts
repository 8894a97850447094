/**
 * Ready answers by raw request target, given before the framework has a look at the request. What Renovate asks is
 * asked again and again: the same bytes go out until the generation changes (docs/decisions/007).
 *
 * An answer counts as long as its datasource has the very snapshot it was made of; it does not hold on to a snapshot,
 * which would keep the packages of a past generation in memory.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { LiveDatasource, Snapshot } from '../repository/live-datasource.ts';

/** Answers kept; bodies are shared with `Lookups`. */
const MAX_ANSWERS = 10_000;
const MAX_TARGET_LENGTH = 512;
const BODY_BYTES = 16 * 1024 * 1024;

/** What an answer is made of, besides its bytes. */
export interface Source {
  readonly live: LiveDatasource;
  readonly snapshot: Snapshot;
  /** The package that was asked for. */
  readonly name: string;
}

type Headers = Readonly<Record<string, string | number | string[] | undefined>>;

interface HotAnswer {
  readonly live: LiveDatasource;
  readonly name: string;
  readonly snapshot: WeakRef<Snapshot>;
  /** Names and values in turn, as `writeHead` likes them best. */
  readonly headers: readonly string[];
  readonly body: string;
  /** `latin1` where every character is one byte either way: writing that is a copy. */
  readonly encoding: 'latin1' | 'utf8';
}

export class HotAnswers {
  readonly #answers = new LRUCache<string, HotAnswer>({
    max: MAX_ANSWERS,
    maxSize: BODY_BYTES,
    sizeCalculation: ({ body }, target) => body.length + target.length + 400,
  });
  readonly #onAnswer: (source: Source, seconds: number) => void;

  /** `onAnswer` is told of every answer given, for metrics. */
  constructor(onAnswer: (source: Source, seconds: number) => void) {
    this.#onAnswer = onAnswer;
  }

  /** Keeps a 200 with these headers, all that were sent but `connection`. */
  keep(target: string, { live, snapshot, name }: Source, headers: Headers, body: string): void {
    if (target.length > MAX_TARGET_LENGTH) return;
    const bytes = Buffer.byteLength(body);
    const all = { ...headers, 'content-length': bytes };
    this.#answers.set(target, {
      live,
      name,
      snapshot: new WeakRef(snapshot),
      headers: Object.entries(all).flatMap(([name, value]) => [name, String(value)]),
      body,
      encoding: bytes === body.length ? 'latin1' : 'utf8',
    });
  }

  /** Answers the request if it can; otherwise leaves it as it is. */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method !== 'GET' || request.headers['if-none-match'] !== undefined) return false;
    const began = performance.now();
    const target = request.url ?? '';
    const found = this.#answers.get(target);
    if (!found) return false;
    const { live, name, headers, body, encoding } = found;
    const snapshot = found.snapshot.deref();
    if (!snapshot || snapshot !== live.snapshot) {
      this.#answers.delete(target);
      return false;
    }
    response.writeHead(200, headers as string[]).end(body, encoding);
    this.#onAnswer({ live, name, snapshot }, (performance.now() - began) / 1000);
    return true;
  }
}
