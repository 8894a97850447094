/** The stanzas of an APKINDEX as they are written, for an index of some of its packages. */
import { hashOf, type Pause } from './pieces.ts';
import { unpack, type ReadOptions } from './read-index.ts';
import { splitSignatures } from './signature.ts';

export interface Stanza {
  readonly name: string;
  readonly version: string;
  /** `C:` */
  readonly identity: string;
  /** Its lines and an empty one. */
  readonly text: string;
}

/** Control characters, and the replacement for invalid UTF-8. */
const UNSAFE = /[\0-\x1f\x7f-\x9f\uFFFD]/;

/** The bytes after the signatures of an index; `undefined` if they have another digest or this is not an index. */
export async function bodyOf(
  bytes: Uint8Array,
  digest: string,
  pause: Pause,
): Promise<Uint8Array | undefined> {
  try {
    const { body } = splitSignatures(bytes);
    return (await hashOf(body, 'sha256', pause)).toString('hex') === digest ? body : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The stanzas in the body of an index that was verified before. Omits stanzas that parsers may read differently: with
 * lines that are not fields, control characters, or a duplicate name, version or identity.
 */
export async function* stanzasOf(
  body: Uint8Array,
  options: Pick<ReadOptions, 'limits' | 'pause' | 'signal'>,
): AsyncGenerator<Stanza> {
  const decoder = new TextDecoder();
  let text = '';
  const unpacked = unpack(body, options, (chunk) => {
    text += decoder.decode(chunk, { stream: true });
  });
  let [incomplete, isDone] = [0, false];
  while (!isDone) {
    isDone = (await unpacked.next()).done === true;
    // A stanza of many chunks is searched only when its length has doubled, not at each chunk.
    if (text.length < 2 * incomplete && !isDone) continue;
    const stanzas = text.split('\n\n');
    text = stanzas.pop() ?? '';
    incomplete = text.length;
    yield* stanzas.flatMap((each) => parseStanza(each) ?? []);
  }
  const last = parseStanza(text.endsWith('\n') ? text.slice(0, -1) : text);
  if (last) yield last;
}

function parseStanza(text: string): Stanza | undefined {
  const lines = text.replace(/^\n+/, '').split('\n');
  const found: Record<'P' | 'V' | 'C', string> = { P: '', V: '', C: '' };
  for (const line of lines) {
    if (line[1] !== ':' || UNSAFE.test(line)) return undefined;
    const letter = line[0];
    if (letter !== 'P' && letter !== 'V' && letter !== 'C') continue;
    if (found[letter] !== '') return undefined;
    found[letter] = line.slice(2);
  }
  const { P: name, V: version, C: identity } = found;
  return name && version && identity
    ? { name, version, identity, text: `${lines.join('\n')}\n\n` }
    : undefined;
}
