/** Reads values of feeds, which are untrusted. */
import { IndexError } from '../errors.ts';

/** Ignores a byte order mark. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.startsWith('\uFEFF') ? text.slice(1) : text);
  } catch (cause) {
    throw new IndexError('feed-malformed', 'not JSON', { cause });
  }
}

export function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

export function malformed(fact: string): IndexError {
  return new IndexError('feed-malformed', fact);
}
