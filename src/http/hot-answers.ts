/**
 * Ready answers by raw request target, given before the framework has a look at the request. What Renovate asks is
 * asked again and again: the same bytes go out until the generation changes (docs/decisions/007).
 *
 * An answer counts as long as its datasource has the very snapshot it was made of; with the next one it is made anew. It
 * does not hold on to a snapshot, which would keep the packages of a past generation in memory.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { LookupQuery } from '../catalog/query.ts';
import type { Answer } from '../lookup.ts';
import type { LiveDatasource, Snapshot } from '../repository/live-datasource.ts';

/** Answers kept; bodies are shared with `Lookups`. */
const MAX_ANSWERS = 10_000;
const MAX_TARGET_LENGTH = 512;
const BODY_BYTES = 16 * 1024 * 1024;

/** What an answer is made of. */
export interface Source {
  readonly live: LiveDatasource;
  readonly snapshot: Snapshot;
  /** The package that was asked for. */
  readonly name: string;
  readonly query: LookupQuery;
}

type Headers = Readonly<Record<string, string | number | string[] | undefined>>;

interface HotAnswer extends Omit<Source, 'snapshot'> {
  readonly snapshot: WeakRef<Snapshot>;
  /** Names and values in turn, as `writeHead` likes them best. */
  readonly headers: readonly string[];
  readonly body: string;
  /** `latin1` where every character is one byte either way: writing that is a copy. */
  readonly encoding: 'latin1' | 'utf8';
}

export interface HotAnswersOptions {
  /** Told of every answer given, for metrics. */
  readonly onAnswer: (source: Source, seconds: number) => void;
  readonly lookUp: (source: Source) => Answer;
}

export class HotAnswers {
  readonly #answers = new LRUCache<string, HotAnswer>({
    max: MAX_ANSWERS,
    maxSize: BODY_BYTES,
    sizeCalculation: ({ body }, target) => body.length + target.length + 400,
  });
  readonly #options: HotAnswersOptions;

  constructor(options: HotAnswersOptions) {
    this.#options = options;
  }

  /** Keeps a 200 with these headers, all that were sent but `connection`. */
  keep(target: string, source: Source, headers: Headers, body: string): void {
    if (target.length > MAX_TARGET_LENGTH) return;
    const pairs = Object.entries(headers).flatMap(([name, value]) => [name, String(value)]);
    this.#answers.set(target, hotAnswer(source, [...pairs, 'content-length', ''], body));
  }

  /** Answers the request if it can; otherwise leaves it as it is. */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method !== 'GET' || request.headers['if-none-match'] !== undefined) return false;
    const began = performance.now();
    const target = request.url ?? '';
    let found = this.#answers.get(target);
    if (!found) return false;
    const { live, name, query } = found;
    const { snapshot } = live;
    if (snapshot && found.snapshot.deref() !== snapshot)
      found = this.#renew(target, found, { live, snapshot, name, query });
    if (!found || !snapshot) return false;
    response.writeHead(200, found.headers as string[]).end(found.body, found.encoding);
    this.#options.onAnswer({ live, snapshot, name, query }, (performance.now() - began) / 1000);
    return true;
  }

  /** The answer of another generation; `undefined` where it is of another kind. */
  #renew(target: string, { headers }: HotAnswer, source: Source): HotAnswer | undefined {
    const { body, etag, found } = this.#options.lookUp(source);
    if (!found) {
      this.#answers.delete(target);
      return undefined;
    }
    const changed = { etag, 'x-apk-beacon-generation': source.snapshot.generation };
    const renewed = hotAnswer(source, withValues(headers, changed), body);
    this.#answers.set(target, renewed);
    return renewed;
  }
}

function hotAnswer(source: Source, headers: readonly string[], body: string): HotAnswer {
  const { live, name, query, snapshot } = source;
  const bytes = Buffer.byteLength(body);
  return {
    live,
    name,
    query,
    snapshot: new WeakRef(snapshot),
    headers: withValues(headers, { 'content-length': String(bytes) }),
    body,
    encoding: bytes === body.length ? 'latin1' : 'utf8',
  };
}

/** The same names in the same order. */
function withValues(headers: readonly string[], values: Readonly<Record<string, string>>): string[] {
  return headers.map((text, i) => (i % 2 === 1 ? (values[headers[i - 1] as string] ?? text) : text));
}
