/** Chooses the format of an answer by `Accept` (RFC 9110); JSON wins a tie. */
import type { IncomingHttpHeaders } from 'node:http';

/** Whether the client prefers HTML to JSON. Browsers name HTML; wildcards do not count. */
export function prefersHtml({ accept }: IncomingHttpHeaders): boolean {
  if (accept === undefined || !/text\/html/i.test(accept)) return false;
  return quality(accept, 'text/html') > quality(accept, 'application/json');
}

/** Whether the client prefers plain text to JSON. curl without `Accept` counts as a person. */
export function prefersText({ accept, 'user-agent': agent = '' }: IncomingHttpHeaders): boolean {
  if (accept === undefined || accept.trim() === '*/*') return /^curl\//i.test(agent);
  return quality(accept, 'text/plain') > quality(accept, 'application/json');
}

/** Whether the client prefers Atom to JSON, as feed readers do. */
export function prefersAtom({ accept = '' }: IncomingHttpHeaders): boolean {
  return quality(accept, 'application/atom+xml') > quality(accept, 'application/json');
}

/** Between 0 and 1; 0 for a type that is not named. */
function quality(accept: string, type: string): number {
  for (const range of accept.split(',')) {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    if (name !== type) continue;
    const given = parameters.find((parameter) => /^q\s*=/.test(parameter));
    const value = given === undefined ? 1 : Number(given.slice(given.indexOf('=') + 1));
    return Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 0;
  }
  return 0;
}
