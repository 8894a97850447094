/**
 * Finds `apk add` among the commands of a script, and `make image` of OpenWrt's image builder, with their packages and
 * repositories.
 */
import { parsePin, type Note, type Pin } from './pin.ts';
import { runsElsewhere, takesText, UNKNOWN, type Command, type Word } from './shell.ts';
import { rangeOf, slice, wordsOf } from './text.ts';

/** The lookup parameters that are not from the command itself. */
type Context = Pin['context'];

export interface Added {
  readonly pins: readonly Pin[];
  readonly notes: readonly Note[];
  /** Positions of the variables in its arguments. */
  readonly uses: readonly number[];
}

/** Options of apk-tools 2 and 3 that take the next word as their value. */
const WITH_VALUE =
  /^(?:-[A-Za-z]*[pXt]|--(?:root|repository|arch|cache-dir|cache-max-age|cache-packages-dir|keys-dir|progress-fd|repositories-file|repository-config|wait|timeout|virtual))$/;

/** Those that name a repository: `-X URL`, `-XURL`, `--repository=URL`. */
const REPOSITORY = /^(?:-[A-Za-z]*X|(?:--repository|--repositories-file)(?:=|$))/;

export function packagesAdded(commands: readonly Command[], context: Context): Added {
  const pins: Pin[] = [];
  const notes: Note[] = [];
  const uses = new Set<number>();
  for (const { words, isElsewhere } of commands) {
    for (const found of [...invocations(words), ...imageBuilds(words)]) {
      const own = addedBy(
        found,
        isElsewhere || found.isElsewhere ? { ...context, elsewhere: 'yes' } : context,
      );
      pins.push(...own.pins);
      notes.push(...own.notes);
      for (const use of own.uses) uses.add(use);
    }
  }
  return { pins, notes, uses: [...uses] };
}

interface Invocation {
  readonly packages: readonly Word[];
  /** Its position in the file. */
  readonly at: number;
  /** `-X URL`, as the preset sends them. */
  readonly options: string;
  readonly isElsewhere: boolean;
}

/** `apk add …` as the command, or behind `sudo`, `xargs`, `chroot DIR` and the like; `xx-apk` is that of tonistiigi/xx. */
function invocations(words: readonly Word[]): readonly Invocation[] {
  if (takesText(words[0]?.value ?? '')) return [];
  const start = words.findIndex(({ value }) => /^(?:\S*\/)?(?:xx-)?apk(?:\.static)?$/.test(value));
  if (start < 0) return [];
  const packages: Word[] = [];
  const options: string[] = [];
  let isAdding = false;
  for (let i = start + 1; i < words.length; i += 1) {
    const { value } = words[i] as Word;
    if (value.startsWith('-') && value !== '--') {
      const takesNext = WITH_VALUE.test(value);
      if (REPOSITORY.test(value))
        options.push(takesNext ? `--repository ${words[i + 1]?.value ?? ''}` : value);
      if (takesNext) i += 1;
    } else if (!isAdding) {
      if (value !== 'add') return [];
      isAdding = true;
    } else if (value !== '--') packages.push(words[i] as Word);
  }
  return isAdding
    ? [
        {
          packages,
          at: words[start]?.at(0) ?? 0,
          options: options.map((each) => ` ${each.replaceAll(UNKNOWN, '${…}')}`).join(''),
          isElsewhere: runsElsewhere(words.slice(0, start)),
        },
      ]
    : [];
}

const BUILDER_LIST = 'PACKAGES=';

/**
 * `make image PACKAGES="curl=8.16.0-r1 -dnsmasq"`. Only what has a version, because other programs may have such a target
 * and list.
 */
function imageBuilds(words: readonly Word[]): readonly Invocation[] {
  if (takesText(words[0]?.value ?? '')) return [];
  const make = words.find(({ value }) => /^(?:\S*\/)?make$/.test(value));
  if (!make || !words.some(({ value }) => value === 'image')) return [];
  const packages = words
    .filter(({ value }) => value.startsWith(BUILDER_LIST))
    .flatMap((word) => wordsOf(slice(word, BUILDER_LIST.length, word.value.length)))
    .filter(({ value }) => /^[^-].*[=~]/.test(value));
  return packages.length === 0 ? [] : [{ packages, at: make.at(0), options: '', isElsewhere: false }];
}

function addedBy({ packages, options, at }: Invocation, context: Context): Added {
  const pins: Pin[] = [];
  const notes: Note[] = [];
  for (const word of packages) {
    const whole = { start: word.at(0), end: word.at(word.value.length - 1) + 1 };
    if (word.value.includes(UNKNOWN)) {
      const shown = word.value.replaceAll(UNKNOWN, '…');
      const message =
        shown === '…'
          ? 'packages in a variable without a known value'
          : `${shown}: a variable without a known value`;
      notes.push({ reason: 'unknown-variable', message, range: ordered(whole) });
      continue;
    }
    const spelled = parsePin(word.value);
    if (!spelled) continue;
    const { versionAt, ...parts } = spelled;
    const version = slice(word, versionAt, versionAt + parts.version.length);
    pins.push({
      ...parts,
      text: word.value,
      tool: 'apk',
      range: rangeOf(word) ?? ordered({ start: word.at(0), end: word.at(parts.name.length - 1) + 1 }),
      versionRange: parts.version === '' ? undefined : rangeOf(version),
      ...(word.uses && { variables: word.uses.map(({ name }) => name) }),
      ...(version.uses && { versionVariables: version.uses.map(({ name }) => name) }),
      world: at,
      isRuntime: false,
      isLocked: false,
      context: { ...context, ...(parts.tag !== undefined && { tag: parts.tag }), x: options },
    });
  }
  return { pins, notes, uses: packages.flatMap(({ uses = [] }) => uses.map(({ at }) => at)) };
}

function ordered({ start, end }: Pin['range']): Pin['range'] {
  return { start, end: Math.max(end, start + 1) };
}
