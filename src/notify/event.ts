/** Events, and the HTTP request for one. */
import { createHash, createHmac } from 'node:crypto';
import { IndexError } from '../errors.ts';
import { joined, type Change } from './offers.ts';

/** An event, its id included, is the same in every call. */
export interface Event {
  readonly id: string;
  /** Unix milliseconds. */
  readonly at: number;
  /** With the age: `wolfi@7d`. */
  readonly datasource: string;
  readonly generation: string;
  readonly changes: readonly Change[];
}

/** The id depends on the time, too: receivers drop an id that they know, but the same change may happen again. */
export function createEvent(watch: string, event: Omit<Event, 'id'>): Event {
  const { at, datasource, generation, changes } = event;
  const hash = createHash('sha256').update(JSON.stringify([watch, at, datasource, generation, changes]));
  return { ...event, id: `evt_${hash.digest('hex').slice(0, 32)}` };
}

/** Merges two unsent events. The result has the time of the last, from which its calls are repeated for a week. */
export function joinEvents(watch: string, earlier: Event, later: Event): Event {
  return createEvent(watch, { ...later, changes: joined(earlier.changes, later.changes) });
}

/** The most changes that are listed; the others are only counted. */
const MAX_CHANGES = 500;

function eventBody({ id, at, datasource, generation, changes }: Event): object {
  const more = changes.length - MAX_CHANGES;
  return {
    type: 'offer.changed',
    id,
    timestamp: new Date(at).toISOString(),
    data: { datasource, generation, changes: changes.slice(0, MAX_CHANGES), ...(more > 0 && { more }) },
  };
}

/** The format of a receiver's calls, with its secrets. */
export interface Form {
  /** A key in the form of Standard Webhooks: `whsec_` and base64. */
  readonly secret?: string | undefined;
  /** The fields of a pipeline trigger of GitLab. */
  readonly gitlab?: { readonly ref: string; readonly token: string } | undefined;
}

export interface Call {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The request for an event at a time (unix milliseconds). Throws `config-invalid` for an invalid secret. */
export function callOf(event: Event, { secret, gitlab }: Form, now: number): Call {
  // GitLab passes everything but the token to the pipeline, as the file TRIGGER_PAYLOAD.
  const body = JSON.stringify({ ...gitlab, ...eventBody(event) });
  const timestamp = String(Math.floor(now / 1000));
  return {
    headers: {
      'content-type': 'application/json',
      'webhook-id': event.id,
      'webhook-timestamp': timestamp,
      ...(secret !== undefined && { 'webhook-signature': signature(secret, event.id, timestamp, body) }),
    },
    body,
  };
}

/** https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
export function signature(secret: string, id: string, timestamp: string, body: string): string {
  const [, key] = /^whsec_([A-Za-z0-9+/]{32,}={0,2})$/.exec(secret) ?? [];
  if (key === undefined) {
    const fact = 'the secret is not whsec_ and at least 24 bytes in base64';
    throw new IndexError('config-invalid', fact);
  }
  const hmac = createHmac('sha256', Buffer.from(key, 'base64')).update(`${id}.${timestamp}.${body}`);
  return `v1,${hmac.digest('base64')}`;
}
