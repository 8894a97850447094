/** What appeared and vanished, for `/{datasource}/-/changes`. */
import { parseTime } from '../catalog/time.ts';

export interface Change {
  /** Unix milliseconds. */
  readonly at: number;
  /** `republished`: another package took the name and version of an earlier one. */
  readonly kind: 'appeared' | 'vanished' | 'republished';
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  readonly repository: string;
  readonly identity: string;
  /** For a republished package: the identity of the one before. */
  readonly before?: string;
}

export interface Changes {
  /** Newest first. */
  readonly changes: readonly Change[];
  /** Whether there are more changes since then. */
  readonly more: boolean;
}

/** A version that an index no longer has. */
export interface Vanished {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  /** When the ledger saw that it was gone, for the last time; unix milliseconds. */
  readonly at: number;
}

/** The limit of changes in one answer. */
export const MOST_CHANGES = 1000;

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Parses a time (`2026-07-24T06:00Z`, `2026-07-24`) or an age (`24h`, `7d`) to unix milliseconds; `undefined` for other
 * texts.
 */
export function parseSince(text: string, now: number): number | undefined {
  const [, amount, unit = ''] = /^(\d{1,5})([mhd])$/.exec(text) ?? [];
  return amount === undefined ? parseTime(text) : now - Number(amount) * (units[unit] ?? NaN);
}

export function changeJson({ at, ...change }: Change): object {
  return { at: new Date(at).toISOString(), ...change };
}

export interface Feed {
  readonly datasource: string;
  readonly name: string | undefined;
  /** Address of the service, without a slash at the end. */
  readonly url: string;
  /** Address of the feed itself. */
  readonly self: string;
  readonly now: number;
}

/** Atom (RFC 4287). An entry keeps its id, so readers show it once. */
export function atomFeed({ changes }: Changes, { datasource, name, url, self, now }: Feed): string {
  const updated = new Date(changes[0]?.at ?? now).toISOString();
  const entries = changes.map((change) => {
    const { at, kind, arch, repository, identity, before } = change;
    const title = `${change.name}-${change.version} ${kind} (${arch})`;
    const text = `${kind} in ${repository} for ${arch}: ${identity}${before === undefined ? '' : `, before ${before}`}`;
    const page = `${url}/${encodeURIComponent(datasource)}/${encodeURIComponent(change.name.toWellFormed())}`;
    return [
      '<entry>',
      `<id>urn:apk-beacon:${escapeXml(encodeURIComponent([datasource, repository, arch, kind, at, identity].join(' ')))}</id>`,
      `<title>${escapeXml(title)}</title>`,
      `<updated>${new Date(at).toISOString()}</updated>`,
      `<link href="${escapeXml(page)}"/>`,
      `<content type="text">${escapeXml(text)}</content>`,
      '</entry>',
    ].join('');
  });
  const title = `Changes of ${name === undefined ? datasource : `${name} in ${datasource}`}`;
  return [
    '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">',
    `<id>${escapeXml(self)}</id><title>${escapeXml(title)}</title><updated>${updated}</updated>`,
    `<link rel="self" href="${escapeXml(self)}"/><author><name>apk-beacon</name></author>`,
    ...entries,
    '</feed>\n',
  ].join('');
}

/** XML does not allow control characters, even escaped. */
function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
