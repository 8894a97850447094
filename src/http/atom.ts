/** `/{datasource}/-/advisories.atom`: pins that were asked for and can be fixed, for feed readers and chat (RFC 4287). */
import type { AskedPin } from '../metrics/pins-with-fixes.ts';

const MOST = 100;

export function advisoriesAtom(
  datasource: string,
  url: string,
  pins: readonly AskedPin[],
  now: number,
): string {
  const self = `${url}/${encodeURIComponent(datasource)}/-/advisories.atom`;
  return [
    '<?xml version="1.0" encoding="utf-8"?>',
    '<feed xmlns="http://www.w3.org/2005/Atom">',
    `<title>${escaped(datasource)}: pins that can be fixed</title>`,
    `<id>${escaped(self)}</id>`,
    `<link rel="self" href="${escaped(self)}"/>`,
    `<updated>${time(pins[0]?.since ?? now)}</updated>`,
    '<author><name>apk-beacon</name></author>',
    ...pins.slice(0, MOST).map((pin) => entry(datasource, url, pin)),
    '</feed>\n',
  ].join('\n');
}

function entry(datasource: string, url: string, { name, pin, fixes, since }: AskedPin): string {
  const at = `${url}/${encodeURIComponent(datasource)}/${encodeURIComponent(name)}`;
  const question = `${at}/advisories?current=${encodeURIComponent(pin)}`;
  const versions = fixes.map(({ version }) => version).join(' or ');
  const text = fixes.map(({ version, ids }) => `${version} fixes ${ids.join(', ')}`).join('; ');
  return [
    '<entry>',
    `<title>${escaped(`${name} ${pin}: ${versions} fixes ${fixes[0]?.ids.length === 1 ? fixes[0].ids[0] : 'vulnerabilities'}`)}</title>`,
    `<id>${escaped(`${question}&to=${encodeURIComponent(versions)}`)}</id>`,
    `<link href="${escaped(`${at}?current=${encodeURIComponent(pin)}`)}"/>`,
    `<updated>${time(since)}</updated>`,
    `<summary>${escaped(text)}</summary>`,
    '</entry>',
  ].join('\n');
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** Of what no XML may hold nothing is left. */
function escaped(text: string): string {
  return text.replace(/[^\P{C}]/gu, '').replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
