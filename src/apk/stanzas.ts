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

/** Control characters, and what is no UTF-8. */
const ODD = /[\0-\x1f\x7f-\x9f\uFFFD]/;

/** What follows the signatures of an index, if it has that digest; `undefined` also for what is no index. */
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
 * The stanzas in the body of an index that was verified before. Those are left out that readers may take for different
 * things: with lines that are no fields, control characters, or a name, version or identity twice.
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
    // A stanza of many chunks is not searched at each of them, but when it is twice as long.
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
    if (line[1] !== ':' || ODD.test(line)) return undefined;
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
