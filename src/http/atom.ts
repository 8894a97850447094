/** Feeds for feed readers and chat, as Atom (RFC 4287). An entry keeps its id, so readers show it once. */
import type { Changes } from '../ledger/changes.ts';
import type { TrackedPin } from '../metrics/pins-with-fixes.ts';
import { escapeXml } from '../xml.ts';

interface FeedAddress {
  readonly datasource: string;
  /** Of the service, without a slash at the end. */
  readonly url: string;
  /** Of the feed itself. */
  readonly self: string;
  /** When a feed without entries was updated; unix milliseconds. */
  readonly now: number;
}

interface Entry {
  readonly id: string;
  readonly title: string;
  /** Unix milliseconds. */
  readonly updated: number;
  readonly link: string;
  readonly text: string;
}

const MAX_PINS = 100;

/** `/{datasource}/-/changes`, of all packages or of one. */
export function changesAtom({ changes }: Changes, of: FeedAddress, name: string | undefined): string {
  const { datasource } = of;
  const title = `Changes of ${name === undefined ? datasource : `${name} in ${datasource}`}`;
  const entries = changes.map((change): Entry => {
    const { at, kind, arch, repository, identity, before } = change;
    const parts = [datasource, repository, arch, kind, at, identity];
    return {
      id: `urn:apk-beacon:${encodeURIComponent(parts.join(' '))}`,
      title: `${change.name}-${change.version} ${kind} (${arch})`,
      updated: at,
      link: pageOf(of, change.name),
      text: `${kind} in ${repository} for ${arch}: ${identity}${before === undefined ? '' : `, before ${before}`}`,
    };
  });
  return atom(of, title, entries);
}

/** `/{datasource}/-/advisories.atom`: pins that were looked up and can be fixed. */
export function advisoriesAtom(pins: readonly TrackedPin[], of: FeedAddress): string {
  const entries = pins.slice(0, MAX_PINS).map(({ name, pin, fixes, since }): Entry => {
    const page = pageOf(of, name);
    const current = `current=${encodeURIComponent(pin)}`;
    const versions = fixes.map(({ version }) => version).join(' or ');
    const [only, ...others] = fixes[0]?.ids ?? [];
    const what = only !== undefined && others.length === 0 ? only : 'vulnerabilities';
    return {
      id: `${page}/advisories?${current}&to=${encodeURIComponent(versions)}`,
      title: `${name} ${pin}: ${versions} fixes ${what}`,
      updated: since,
      link: `${page}?${current}`,
      text: fixes.map(({ version, ids }) => `${version} fixes ${ids.join(', ')}`).join('; '),
    };
  });
  return atom(of, `${of.datasource}: pins that can be fixed`, entries);
}

function pageOf({ url, datasource }: FeedAddress, name: string): string {
  return `${url}/${encodeURIComponent(datasource)}/${encodeURIComponent(name.toWellFormed())}`;
}

/** `entries` are newest first. */
function atom({ self, now }: FeedAddress, title: string, entries: readonly Entry[]): string {
  return [
    '<?xml version="1.0" encoding="utf-8"?>',
    '<feed xmlns="http://www.w3.org/2005/Atom">',
    `<id>${escapeXml(self)}</id>`,
    `<title>${escapeXml(title)}</title>`,
    `<link rel="self" href="${escapeXml(self)}"/>`,
    `<updated>${timeOf(entries[0]?.updated ?? now)}</updated>`,
    '<author><name>apk-beacon</name></author>',
    ...entries.flatMap((entry) => [
      '<entry>',
      `<id>${escapeXml(entry.id)}</id>`,
      `<title>${escapeXml(entry.title)}</title>`,
      `<updated>${timeOf(entry.updated)}</updated>`,
      `<link href="${escapeXml(entry.link)}"/>`,
      `<content type="text">${escapeXml(entry.text)}</content>`,
      '</entry>',
    ]),
    '</feed>\n',
  ].join('\n');
}

function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
