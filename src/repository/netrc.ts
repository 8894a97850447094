/**
 * `.netrc` as curl and ftp read it: words separated by blanks, `machine NAME`, `default`, `login NAME`, `password
 * SECRET`, `account NAME`, and `macdef NAME` with lines up to an empty one. A word may be in double quotes, with the
 * escapes `\"`, `\\`, `\n`, `\r` and `\t`. A line that starts with `#` is a comment.
 */
import { codeOf, IndexError } from '../errors.ts';
import { readTextFile } from './read-text-file.ts';

export interface NetrcEntry {
  /** `undefined` for the `default` entry, which matches any machine. */
  readonly machine: string | undefined;
  readonly login: string;
  readonly password: string;
}

/** The entries of a `.netrc`; none if the file does not exist. */
export async function loadNetrc(path: string): Promise<readonly NetrcEntry[]> {
  try {
    return parseNetrc(await readTextFile('netrc file', path), path);
  } catch (error) {
    if (error instanceof IndexError && codeOf(error.cause) === 'ENOENT') return [];
    throw error;
  }
}

/** Entries with a login or a password, in file order; the first match for a machine is used. `path` is for messages. */
export function parseNetrc(text: string, path: string): readonly NetrcEntry[] {
  const entries: { machine: string | undefined; login: string; password: string }[] = [];
  const words = new Words(text, path);
  for (let word = words.next(); word !== undefined; word = words.next()) {
    const entry = entries.at(-1);
    if (word === 'machine') entries.push({ machine: words.next() ?? '', login: '', password: '' });
    else if (word === 'default') entries.push({ machine: undefined, login: '', password: '' });
    else if (word === 'macdef') words.skipParagraph();
    else if (word === 'login' && entry) entry.login = words.next() ?? '';
    else if (word === 'password' && entry) entry.password = words.next() ?? '';
    else if (word === 'account') words.next();
  }
  return entries.filter(({ login, password }) => login !== '' || password !== '');
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

class Words {
  readonly #text: string;
  readonly #path: string;
  #position = 0;

  constructor(text: string, path: string) {
    this.#text = text;
    this.#path = path;
  }

  next(): string | undefined {
    this.#skipBlanksAndComments();
    if (this.#position >= this.#text.length) return undefined;
    return this.#text[this.#position] === '"' ? this.#quoted() : this.#plain();
  }

  skipParagraph(): void {
    const rest = /\n\r?\n/g;
    rest.lastIndex = this.#position;
    this.#position = rest.exec(this.#text) ? rest.lastIndex : this.#text.length;
  }

  #skipBlanksAndComments(): void {
    let lineStart = this.#position === 0;
    for (; this.#position < this.#text.length; this.#position += 1) {
      const character = this.#text.charAt(this.#position);
      if (character === '\n') lineStart = true;
      else if (character === '#' && lineStart) this.#position = this.#endOfLine() - 1;
      else if (!isBlank(character)) return;
    }
  }

  #endOfLine(): number {
    const end = this.#text.indexOf('\n', this.#position);
    return end === -1 ? this.#text.length : end;
  }

  #plain(): string {
    const start = this.#position;
    while (this.#position < this.#text.length && !isBlank(this.#text.charAt(this.#position)))
      this.#position += 1;
    return this.#text.slice(start, this.#position);
  }

  #quoted(): string {
    let word = '';
    for (this.#position += 1; this.#position < this.#text.length; this.#position += 1) {
      let character = this.#text.charAt(this.#position);
      if (character === '"') {
        this.#position += 1;
        return word;
      }
      if (character === '\\') {
        this.#position += 1;
        const escaped = this.#text.charAt(this.#position);
        character = escapes[escaped] ?? escaped;
      }
      word += character;
    }
    throw new IndexError('config-invalid', `netrc file ${this.#path}: a quote is not closed`);
  }
}

const isBlank = (character: string): boolean => ' \t\r\n'.includes(character);
