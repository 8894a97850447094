/** XML for feeds and reports. */

/**
 * Text for an element or an attribute. What no XML may hold, even escaped, is replaced: control characters and halves of
 * surrogate pairs (https://www.w3.org/TR/xml/#charsets).
 */
export function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
