/** Reads a request: its path, its parameters, the address it was sent to. */
import type { IncomingMessage } from 'node:http';
import { parse as parseQueryString } from 'node:querystring';
import type { QueryParameters } from '../answers/query.ts';

/** The raw path of a request, without the query. */
export function pathOf({ url = '' }: IncomingMessage): string {
  return splitUrl(url)[0];
}

export function parametersOf(url: string): QueryParameters {
  const [, query] = splitUrl(url);
  return query === undefined ? {} : parseQueryString(query);
}

/** Splits a request target. A client may send a whole URL as the target (RFC 9112). */
export function splitUrl(url: string): readonly [path: string, query?: string] {
  const target = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?]*/i, '');
  const start = target.indexOf('?');
  return start < 0 ? [target] : [target.slice(0, start), target.slice(start + 1)];
}

/** The pin as written, the last of several; `undefined` if empty. */
export function pinOf({ current }: QueryParameters): string | undefined {
  return [current].flat().at(-1)?.trim() || undefined;
}

/** The address as the client wrote it, also to a proxy with TLS; an invalid `Host` is ignored. */
export function ownUrl({ headers }: IncomingMessage): string {
  const { host = '', 'x-forwarded-proto': forwarded } = headers;
  const scheme = /^https\b/i.test(String(forwarded)) ? 'https' : 'http';
  const isHost = /^[A-Za-z0-9._-]+(:\d+)?$|^\[[0-9a-fA-F:.]+\](:\d+)?$/.test(host);
  return `${scheme}://${isHost ? host : 'localhost'}`;
}
