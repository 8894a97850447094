import { cut } from '../errors.ts';
import { FetchError, shortUrl } from './fetch-error.ts';
import { forbiddenHost, isThisMachine } from './address-policy.ts';

const redirectStatuses: readonly number[] = [301, 302, 303, 307, 308];

export const isRedirect = (status: number): boolean => redirectStatuses.includes(status);

/**
 * The target of a redirect from `from`. It must not lead from https to http, to other schemes, to a link-local or
 * metadata address, or from elsewhere to this machine. The addresses of a name are checked at connect time
 * (`address-policy.ts`). `verb` is what `from` does, for messages.
 */
export function redirectTarget(from: URL, location: string | undefined, verb = 'redirects'): URL {
  const refuse = (why: string): FetchError => new FetchError(`${shortUrl(from)} ${verb} ${why}`);
  if (location === undefined) throw refuse('without a target');
  const target = URL.parse(location, from.href);
  if (target === null) throw refuse('to an invalid URL');
  if (target.protocol !== 'https:' && target.protocol !== 'http:') {
    throw refuse(`to ${cut(target.protocol, 40)}, which is not followed`);
  }
  if (from.protocol === 'https:' && target.protocol === 'http:') {
    throw refuse(`to ${shortUrl(target)}, from https to http`);
  }
  if (target.hostname !== from.hostname) {
    const forbidden = forbiddenHost(target, isThisMachine(from) ? 'not-metadata' : 'not-here');
    if (forbidden !== undefined) throw refuse(`to ${cut(target.host)}, ${forbidden}`);
  }
  return target;
}
