/**
 * Parses shell scripts just enough to know the words of each command: quotes, escapes, continued lines, comments,
 * variables with a known value, here-documents, `$(…)` and `sh -c '…'`. Parsing always ends; a script with a syntax
 * error is read up to the error.
 *
 * POSIX.1-2024, Shell Command Language, 2.3 (tokens), 2.6.2 (parameters), 2.7.4 (here-documents).
 */
import { Delimiters, withoutTabs, type HereDocument } from './here-documents.ts';
import { mappedText, slice, type Text, type Use } from './text.ts';

/** The words of one simple command, without its redirections and assignments. */
export interface Command {
  readonly words: readonly Word[];
  readonly assignments: readonly Assignment[];
  /** It runs in another container or on another host, as in `docker run IMAGE sh -c '…'`. */
  readonly isElsewhere?: boolean;
}

/** One word. Parts without a known value are `UNKNOWN`. */
export type Word = Text;

export interface Assignment {
  readonly name: string;
  readonly value: Word;
}

/** Stands for an expansion without a known value. Not a character of Unicode. */
export const UNKNOWN = '\uFFFF';

export interface ShellOptions {
  /** The known value of a variable. */
  readonly variable?: (name: string) => Text | undefined;
  /**
   * The script is the body of a Dockerfile's instruction: this character and a line break join lines, blanks may stand
   * between the two, and comments and empty lines that follow are dropped before the shell sees them.
   */
  readonly dockerEscape?: string;
  /** Assignments take effect only later, as in an ENV line. */
  readonly isDeclaration?: boolean;
  /** The script runs in another container or on another host. */
  readonly isElsewhere?: boolean;
  /** For all scripts of a file; otherwise the script has one of its own. */
  readonly budget?: Budget | undefined;
}

export interface Budget {
  /** The characters of the values of variables that were inserted. */
  expanded: number;
}

/** Only these separate words. Other Unicode blanks, such as a no-break space, are part of a word. */
const BLANK = /[ \t\r\n]/;
const ENDS_WORD = /[ \t\r\n;&|()<>]/;
/** The depth of nested scripts. */
const MAX_DEPTH = 12;
/** The most words before `-c`. */
const MAX_PREFIX = 40;
/** The most characters of `((…))`. */
const MAX_ARITHMETIC = 256;
/** The most characters of all expansions of a budget, because variables may contain each other. */
const MAX_EXPANDED = 1_000_000;
/** Shell keywords that may precede a command. */
const KEYWORDS = new Set([
  'if',
  'then',
  'else',
  'elif',
  'do',
  'while',
  'until',
  '!',
  '{',
  '}',
  'time',
  'fi',
  'done',
  'esac',
]);
const ELSEWHERE =
  /^(?:\S*\/)?(?:(?:docker|podman)(?:-compose)?|nerdctl|finch|buildah|kubectl|oc|crictl|ctr|incus|lxc|lxc-attach|ssh)$/;
/** Commands that write their input to their output. */
const FILTERS = /^(?:\S*\/)?(?:cat|tee|sed|tr|envsubst)$/;
const SHELLS = /^(?:\S*\/)?(?:sh|ash|bash|dash|zsh|busybox)$/;

/**
 * The simple commands of a script in order, including those of substitutions and inner scripts. Variables that the
 * script sets once are known.
 */
export function shellCommands(script: Text, options: ShellOptions = {}): readonly Command[] {
  const budget = options.budget ?? { expanded: 0 };
  const commands = new Reader(script, options, budget).read();
  if (options.isDeclaration || !script.value.includes('$')) return commands;
  const own = singleAssignments(commands);
  if (own.size === 0) return commands;
  const variable = (name: string): Text | undefined =>
    own.has(name) ? own.get(name) : options.variable?.(name);
  return new Reader(script, { ...options, variable }, budget).read();
}

/** Variables that get one value; `undefined` for those that get several. */
export function singleAssignments(commands: readonly Command[]): ReadonlyMap<string, Text | undefined> {
  const values = new Map<string, Text | undefined>();
  for (const { words, assignments } of commands) {
    for (const { name, value } of [...assignments, ...declared(words)])
      values.set(name, values.has(name) && values.get(name)?.value !== value.value ? undefined : value);
    for (const name of overwritten(words)) values.set(name, undefined);
  }
  return values;
}

/** `export NAME=value`, `local`, `readonly`, `declare`. */
function declared([first, ...words]: readonly Word[]): readonly Assignment[] {
  if (!first || !/^(?:export|local|readonly|declare|typeset)$/.test(first.value)) return [];
  return words.flatMap((word) => assignmentOf(word) ?? []);
}

/** `for NAME in …`, `read NAME`. */
function overwritten([first, ...words]: readonly Word[]): readonly string[] {
  if (first?.value === 'for') return words.slice(0, 1).map(({ value }) => value);
  return first?.value === 'read' ? words.map(({ value }) => value) : [];
}

/** `NAME=value`. */
export function assignmentOf(word: Word): Assignment | undefined {
  const name = /^([A-Za-z_]\w*)=/.exec(word.value)?.[1];
  return name === undefined ? undefined : { name, value: slice(word, name.length + 1, word.value.length) };
}

interface WaitingDocument extends HereDocument {
  /** The command was a shell, or empty. */
  isScript: boolean;
  /** That shell is in another container or on another host. */
  isElsewhere: boolean;
}

class Reader {
  readonly #text: Text;
  readonly #source: string;
  readonly #options: ShellOptions;
  readonly #budget: Budget;
  readonly #depth: number;
  readonly #commands: Command[] = [];
  #at = 0;
  #words: Word[] = [];
  #assignments: Assignment[] = [];
  /** Only keywords so far: assignments are possible here. */
  #isPrefix = true;
  #waiting: WaitingDocument[] = [];
  #own: WaitingDocument[] = [];
  /** The command gets the here-documents of the previous one, through a pipe. */
  #isPiped = false;

  readonly #delimiters: Delimiters;
  /** Offset of the text in the text of the delimiters. */
  readonly #offset: number;

  constructor(
    text: Text,
    options: ShellOptions,
    budget: Budget,
    depth = 0,
    within = { delimiters: new Delimiters(text.value), offset: 0 },
  ) {
    this.#text = text;
    this.#source = text.value;
    this.#options = options;
    this.#budget = budget;
    this.#depth = depth;
    this.#delimiters = within.delimiters;
    this.#offset = within.offset;
  }

  /** Up to the end, or to the `)` that ends a substitution. */
  read(isSubstitution = false): readonly Command[] {
    for (let depth = 0, before = -1; this.#at < this.#source.length;) {
      // Each iteration makes progress, whatever it meets.
      if (this.#at === before) this.#at += 1;
      before = this.#at;
      if (this.#skipContinuation()) continue;
      const character = this.#source[this.#at] as string;
      if (character === '\n') {
        this.#at += 1;
        this.#end();
        this.#readHereDocuments();
      } else if (/[ \t\r]/.test(character)) this.#at += 1;
      else if (character === '#') this.#skipComment();
      else if (character === '(') {
        const arithmetic = this.#arithmeticLength();
        if (arithmetic === 0) depth += 1;
        this.#at += Math.max(arithmetic, 1);
        this.#end();
      } else if (character === ')') {
        if (isSubstitution && depth === 0) break;
        depth -= 1;
        this.#at += 1;
        this.#end();
      } else if (/[;&|]/.test(character)) {
        this.#at += 1;
        if (character === '|' && this.#pipe()) continue;
        // `>&2`, `&>file`, `2>&1` are redirections.
        if (character !== '&' || !/[<>]/.test(this.#source[this.#at] ?? '')) this.#end();
      } else if (/[<>]/.test(character) && this.#templateLength() === 0) this.#redirect();
      else this.#word();
    }
    this.#end();
    return this.#commands;
  }

  /** Offset after the part that was read. */
  get position(): number {
    return this.#at;
  }

  /** `cat <<EOF | sh`: the here-document goes on to the next command. */
  #pipe(): boolean {
    const isPipe = this.#source[this.#at] !== '|' && this.#source[this.#at - 2] !== '|';
    const [first] = this.#own;
    if (!isPipe || !first || !FILTERS.test(this.#words[0]?.value ?? '')) return false;
    const documents = this.#own;
    this.#end();
    this.#own = documents;
    this.#isPiped = true;
    return true;
  }

  #end(): void {
    const first = this.#words.findIndex(({ value }) => !KEYWORDS.has(value));
    const words = first < 0 ? [] : this.#words.slice(first);
    const isScript = words.length === 0 ? !this.#isPiped : runsStandardInput(words);
    this.#isPiped = false;
    const { isElsewhere = false } = this.#options;
    for (const each of this.#own)
      Object.assign(each, { isScript, isElsewhere: isElsewhere || runsElsewhere(words) });
    this.#own = [];
    if (words.length > 0 || this.#assignments.length > 0) {
      this.#commands.push({ words, assignments: this.#assignments, isElsewhere });
      for (const script of innerScripts(words))
        this.#readInner(script, { isElsewhere: isElsewhere || runsElsewhere(words) });
    }
    this.#words = [];
    this.#assignments = [];
    this.#isPrefix = true;
  }

  #readInner(script: Text, { isElsewhere = false, isDocker = false } = {}): void {
    if (this.#depth >= MAX_DEPTH) return;
    const { variable } = this.#options;
    const options = isDocker ? this.#options : { ...(variable && { variable }), isElsewhere };
    const reader = new Reader(script, options, this.#budget, this.#depth + 1);
    this.#commands.push(...reader.read());
  }

  /** Skips a line continuation. */
  #skipContinuation(): boolean {
    const { dockerEscape } = this.#options;
    if (this.#source[this.#at] !== (dockerEscape ?? '\\')) return false;
    const pattern =
      dockerEscape === undefined ? /\\\r?\n/y : dockerEscape === '`' ? /`[ \t]*\r?\n/y : /\\[ \t]*\r?\n/y;
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#source)) return false;
    this.#at = pattern.lastIndex;
    if (dockerEscape === undefined) return true;
    const dropped = /(?:[ \t]*(?:(?:#|\{[%#])[^\n]*)?\r?\n)*(?:[ \t]*#[^\n]*$)?/y;
    dropped.lastIndex = this.#at;
    if (dropped.test(this.#source)) this.#at = dropped.lastIndex;
    return true;
  }

  #skipComment(): void {
    while (this.#at < this.#source.length && this.#source[this.#at] !== '\n') {
      // In a Dockerfile the lines were joined before.
      if (this.#options.dockerEscape !== undefined && this.#skipContinuation()) continue;
      this.#at += 1;
    }
  }

  #redirect(): void {
    const operator = /<<<|<<-?|[<>][>&|(]?/y;
    operator.lastIndex = this.#at;
    const [found] = operator.exec(this.#source) as RegExpExecArray;
    this.#at += found.length;
    if (found.endsWith('(')) {
      this.#substitution();
      return;
    }
    this.#skipBlanks();
    const target = this.#readWord(false)[0];
    if (!target || !found.startsWith('<<') || found === '<<<') return;
    const document = {
      delimiter: target.value,
      stripsTabs: found === '<<-',
      isScript: false,
      isElsewhere: false,
    };
    this.#waiting.push(document);
    this.#own.push(document);
  }

  #skipBlanks(): void {
    while (/[ \t]/.test(this.#source[this.#at] ?? '') || this.#skipContinuation())
      if (/[ \t]/.test(this.#source[this.#at] ?? '')) this.#at += 1;
  }

  #readHereDocuments(): void {
    for (const { isScript, isElsewhere, ...document } of this.#waiting) {
      const found = this.#delimiters.after(this.#at + this.#offset, document);
      // A `<<` without an end does not begin a here-document.
      if (!found) continue;
      const written = slice(this.#text, this.#at, found.start - this.#offset);
      const body = document.stripsTabs ? withoutTabs(written) : written;
      this.#at = Math.min(found.next - this.#offset, this.#source.length);
      if (isScript && !/^#!(?!.*\b(?:ba|da|a|z)?sh\b)/.test(body.value))
        this.#readInner(body, { isElsewhere });
    }
    this.#waiting = [];
  }

  #word(): void {
    for (const word of this.#readWord(true)) {
      const assignment = this.#isPrefix ? assignmentOf(word) : undefined;
      if (assignment) {
        this.#assignments.push(assignment);
        continue;
      }
      // `2>` is the number of what is redirected.
      if (/^\d$/.test(word.value) && /[<>]/.test(this.#source[this.#at] ?? '')) continue;
      this.#words.push(word);
      this.#isPrefix &&= KEYWORDS.has(word.value);
    }
  }

  /** One word; several for an unquoted variable with several words; none for an empty one. */
  #readWord(isSplit: boolean): readonly Word[] {
    const out = new WordBuilder();
    const from = this.#at;
    for (;;) {
      const character = this.#source[this.#at];
      const template = this.#templateLength();
      if (template > 0) {
        out.add(UNKNOWN, this.#text.at(this.#at));
        this.#at += template;
        continue;
      }
      if (character === undefined || ENDS_WORD.test(character)) break;
      if (this.#skipContinuation()) continue;
      if (character === "'") this.#singleQuoted(out);
      else if (character === '"') this.#doubleQuoted(out);
      else if (character === '\\') {
        this.#at += 1;
        out.quote();
        if (this.#at < this.#source.length)
          out.add(this.#source[this.#at] as string, this.#text.at(this.#at));
        this.#at += 1;
      } else if (character === '$') this.#expansion(out, isSplit);
      else if (character === '`') this.#backquoted(out);
      else {
        out.add(character, this.#text.at(this.#at));
        this.#at += 1;
      }
    }
    const words = out.end();
    if (!this.#text.uses) return words;
    // Within an inner script, such as that of `sh -c "apk add $PACKAGES"`.
    const { uses = [] } = slice(this.#text, from, this.#at);
    return words.map((word) => ({
      ...word,
      uses: [...(word.uses ?? []), ...uses.map((use) => whole(use, word))],
    }));
  }

  /**
   * The length of a template (`{{ name }}`, `<%= name %>`, `$[[ inputs.name ]]`), which is replaced before the shell
   * runs; 0 for none.
   */
  #templateLength(): number {
    if (!'{<$'.includes(this.#source[this.#at] ?? ' ')) return 0;
    const rest = this.#source.slice(this.#at, this.#at + 256);
    return /^(?:\{\{[^{}\n]*\}\}|<%[^\n]*?%>|\$\[\[[^\]\n]*\]\])/.exec(rest)?.[0].length ?? 0;
  }

  /** The length of `((…))`, in which `<<` is a shift; 0 for two nested subshells. */
  #arithmeticLength(start = this.#at): number {
    if (!this.#source.startsWith('((', start)) return 0;
    const text = this.#source.slice(start, start + MAX_ARITHMETIC);
    for (let i = 2, depth = 2; i < text.length && text[i] !== '\n'; i += 1) {
      if (text[i] === '(') depth += 1;
      else if (text[i] === ')') depth -= 1;
      if (depth === 1) return text[i + 1] === ')' ? i + 2 : 0;
    }
    return 0;
  }

  #singleQuoted(out: WordBuilder): void {
    out.quote();
    for (this.#at += 1; this.#at < this.#source.length; this.#at += 1) {
      if (this.#options.dockerEscape !== undefined && this.#skipContinuation()) {
        this.#at -= 1;
        continue;
      }
      const character = this.#source[this.#at] as string;
      if (character === "'") break;
      out.add(character, this.#text.at(this.#at));
    }
    this.#at += 1;
  }

  #doubleQuoted(out: WordBuilder): void {
    out.quote();
    for (this.#at += 1; this.#at < this.#source.length;) {
      if (this.#skipContinuation()) continue;
      const character = this.#source[this.#at] as string;
      if (character === '"') break;
      if (character === '$') this.#expansion(out, false);
      else if (character === '`') this.#backquoted(out);
      else {
        if (character === '\\' && /["$`\\]/.test(this.#source[this.#at + 1] ?? '')) this.#at += 1;
        out.add(this.#source[this.#at] as string, this.#text.at(this.#at));
        this.#at += 1;
      }
    }
    this.#at += 1;
  }

  #expansion(out: WordBuilder, isSplit: boolean): void {
    const rest = this.#source.slice(this.#at, this.#at + 256);
    const start = this.#at;
    const bare = /^\$([A-Za-z_]\w*)/.exec(rest)?.[1];
    if (bare !== undefined) {
      this.#at += bare.length + 1;
      this.#expand(out, this.#options.variable?.(bare), isSplit, { name: bare, start });
    } else if (rest.startsWith('${')) this.#braced(out, isSplit);
    else if (rest.startsWith('$((')) {
      const length = this.#arithmeticLength(this.#at + 1);
      const end = length > 0 ? this.#at + length - 1 : this.#source.indexOf('))', this.#at);
      this.#at = end < 0 ? this.#source.length : end + 2;
      out.add(UNKNOWN, this.#text.at(start));
    } else if (rest.startsWith('$(')) {
      this.#at += 2;
      this.#substitution();
      out.add(UNKNOWN, this.#text.at(start));
    } else if (/^\$['"]/.test(rest)) this.#at += 1;
    else if (/^\$[@*#?$!\d-]/.test(rest)) {
      this.#at += 2;
      out.add(UNKNOWN, this.#text.at(start));
    } else {
      out.add('$', this.#text.at(start));
      this.#at += 1;
    }
  }

  /** `${NAME}`, `${NAME:-word}`; other forms have no known value. */
  #braced(out: WordBuilder, isSplit: boolean): void {
    const start = this.#at;
    let end = start + 2;
    for (let depth = 1; end < this.#source.length; end += 1) {
      if (this.#source.startsWith('${', end)) depth += 1;
      else if (this.#source[end] === '}') depth -= 1;
      if (depth === 0) break;
    }
    this.#at = Math.min(end + 1, this.#source.length);
    const [all, name = '', operator = ''] =
      /^([A-Za-z_]\w*|\d+)(:?[-=+?])?/.exec(this.#source.slice(start + 2, end)) ?? [];
    const isPlain = all !== undefined && (operator !== '' || start + 2 + all.length === end);
    const value = isPlain ? this.#options.variable?.(name) : undefined;
    const hasDefault = /[-=]$/.test(operator);
    if (hasDefault && (value === undefined || value.value === '')) {
      const word = slice(this.#text, start + 2 + (all as string).length, end);
      const evaluated = this.#evaluated(word);
      if (operator.endsWith('=') && evaluated) this.#assignments.push({ name, value: evaluated });
      this.#expand(out, evaluated, isSplit, { start });
    } else this.#expand(out, operator.endsWith('+') ? undefined : value, isSplit, { name, start });
  }

  /** A default may be quoted and contain variables. */
  #evaluated(text: Text): Text | undefined {
    if (this.#depth >= MAX_DEPTH) return undefined;
    const reader = new Reader(text, this.#options, this.#budget, this.#depth + 1);
    return reader.#readAll();
  }

  /** Reads everything as one word, including blanks. */
  #readAll(): Text {
    const out = new WordBuilder();
    while (this.#at < this.#source.length) {
      const [word] = this.#readWord(false);
      if (word) out.append(word);
      if (this.#at < this.#source.length) out.add(this.#source[this.#at] as string, this.#text.at(this.#at));
      this.#at += 1;
    }
    return out.end()[0] ?? { value: '', at: this.#text.at };
  }

  /** Without a name, the value is written here. */
  #expand(
    out: WordBuilder,
    value: Text | undefined,
    isSplit: boolean,
    { name, start }: { readonly name?: string; readonly start: number },
  ): void {
    this.#budget.expanded += value?.value.length ?? 0;
    const at = this.#text.at(start);
    const origin = name === undefined ? undefined : { name, at };
    if (value === undefined || this.#budget.expanded > MAX_EXPANDED) out.add(UNKNOWN, at);
    else if (isSplit) out.appendSplit(value, origin);
    else out.append(value, origin);
  }

  #substitution(): void {
    if (this.#depth >= MAX_DEPTH) {
      this.#at = this.#source.length;
      return;
    }
    const inner = slice(this.#text, this.#at, this.#source.length);
    const within = { delimiters: this.#delimiters, offset: this.#offset + this.#at };
    const reader = new Reader(inner, this.#options, this.#budget, this.#depth + 1, within);
    this.#commands.push(...reader.read(true));
    this.#at = Math.min(this.#at + reader.position + 1, this.#source.length);
  }

  #backquoted(out: WordBuilder): void {
    const start = this.#at;
    const end = this.#source.indexOf('`', start + 1);
    this.#at = end < 0 ? this.#source.length : end + 1;
    this.#readInner(slice(this.#text, start + 1, end < 0 ? this.#source.length : end), {
      isDocker: true,
    });
    out.add(UNKNOWN, this.#text.at(start));
  }
}

/**
 * Whether the command reads a script from standard input: `sh`, `bash -ex`, `sudo sh -s argument`, `ssh host`.
 */
function runsStandardInput(words: readonly Word[]): boolean {
  const shell = words.findIndex(({ value }) => SHELLS.test(value));
  if (shell < 0) return isLogin(words);
  const { options, rest } = splitOptions(words.slice(shell + 1), /^-[a-z]*o$/);
  if (options.some((each) => !each.startsWith('--') && each.includes('c'))) return false;
  return rest.length === 0 || options.some((each) => /^-[a-z]*s[a-z]*$/.test(each));
}

/** Whether it is `ssh -p 22 host` without a command. */
function isLogin(words: readonly Word[]): boolean {
  const ssh = words.findIndex(({ value }) => /^(?:\S*\/)?ssh$/.test(value));
  if (ssh < 0) return false;
  const {
    rest: [, ...more],
  } = splitOptions(words.slice(ssh + 1), /^-[A-Za-z]*[bcDEeFIiJLlmOopQRSWw]$/);
  return splitOptions(more, /^$/).rest.length === 0;
}

/** Splits off leading options, some of which take the next word. */
function splitOptions(
  words: readonly Word[],
  withValue: RegExp,
): { readonly options: readonly string[]; readonly rest: readonly Word[] } {
  const options: string[] = [];
  let at = 0;
  for (; words[at]?.value.startsWith('-'); at += 1) {
    const { value } = words[at] as Word;
    options.push(value);
    if (withValue.test(value)) at += 1;
  }
  return { options, rest: words.slice(at) };
}

/** The scripts of `sh -c 'script'`, also after `sudo`, `su` and the like, and of `eval script`. */
function innerScripts(words: readonly Word[]): readonly Text[] {
  const first = words[0]?.value ?? '';
  if (takesText(first)) return [];
  if (first === 'eval') return words.slice(1);
  const option = words
    .slice(0, MAX_PREFIX)
    .findIndex(
      ({ value }, i) => i > 0 && /^(?:-[a-z]*c|--command)$/.test(value) && isShell(words.slice(0, i)),
    );
  const script = option < 0 ? undefined : words[option + 1];
  if (script) return [script];
  // The entrypoint of an image, and the shell at the other end, get it as a script.
  return runsElsewhere(words)
    ? words.filter(({ value }) => /^[ \t\r\n]*(?:sudo[ \t]+)?apk[ \t]/.test(value))
    : [];
}

/** Whether one of the words passes what follows to another container or host. */
export function runsElsewhere(words: readonly Word[]): boolean {
  return words.slice(0, MAX_PREFIX).some(({ value }) => ELSEWHERE.test(value));
}

function isShell(words: readonly Word[]): boolean {
  const last = words.findLast(({ value }) => !value.startsWith('-') && !/^\S*=/.test(value));
  return (
    words.some(({ value }) => /^(?:\S*\/)?(?:su|runuser)$/.test(value)) || SHELLS.test(last?.value ?? '')
  );
}

/** Whether the arguments of the command are text, not commands, as for `echo` and `grep`. */
export function takesText(command: string): boolean {
  return /^(?:echo|printf|grep|logger|cat|sed|awk|:|true|test|\[)$/.test(command);
}

function whole(use: Use, { value }: Word): Use {
  return { ...use, start: 0, end: value.length };
}

/** Collects the characters of a word with their positions. */
class WordBuilder {
  #value = '';
  #offsets: number[] = [];
  #uses: Use[] = [];
  #isQuoted = false;
  readonly #done: Word[] = [];

  add(character: string, offset: number): void {
    this.#value += character;
    this.#offsets.push(offset);
  }

  /** Quotes make a word even if it is empty. */
  quote(): void {
    this.#isQuoted = true;
  }

  /** `origin` is the variable with this value. */
  append({ value, at, uses = [] }: Text, origin?: Pick<Use, 'name' | 'at'>): void {
    if (value === '') return;
    const start = this.#value.length;
    for (let i = 0; i < value.length; i += 1) this.add(value[i] as string, at(i));
    if (origin) this.#uses.push({ ...origin, start, end: start + value.length });
    for (const use of uses) this.#uses.push({ ...use, start: use.start + start, end: use.end + start });
  }

  appendSplit(text: Text, origin?: Pick<Use, 'name' | 'at'>): void {
    const { value } = text;
    for (let start = 0, i = 0; i <= value.length; i += 1) {
      const isBlank = BLANK.test(value[i] ?? '');
      if (!isBlank && i < value.length) continue;
      this.append(slice(text, start, i), origin);
      if (isBlank) this.#finish();
      start = i + 1;
    }
  }

  end(): readonly Word[] {
    this.#finish();
    return this.#done;
  }

  #finish(): void {
    if (this.#value !== '' || this.#isQuoted)
      this.#done.push(mappedText(this.#value, this.#offsets, this.#uses));
    this.#value = '';
    this.#offsets = [];
    this.#uses = [];
    this.#isQuoted = false;
  }
}
