/**
 * Lists of all names, for finding one without a search: packages by first letter, provided names by kind. A long list
 * has an index of ranges and one page for each range, `p.html`, `p-1.html`, `p-2.html`.
 */
import { compareTexts } from '../sorted.ts';

export interface NameList {
  readonly title: string;
  /** The name of its file, without `.html`. */
  readonly file: string;
  readonly names: readonly string[];
}

const NAMES_A_PAGE = 200;

const kinds = [
  { title: 'Commands (cmd:)', file: 'commands', prefix: 'cmd:' },
  { title: 'Libraries (so:)', file: 'libraries', prefix: 'so:' },
  { title: 'pkg-config modules (pc:)', file: 'modules', prefix: 'pc:' },
  { title: 'Other', file: 'provided', prefix: '' },
] as const;

/** Names that start with another character come last. */
export function listsByLetter(names: readonly string[]): readonly NameList[] {
  const lists = Map.groupBy(alphabetical(names), letterOf);
  const others = lists.get(undefined);
  if (others && lists.delete(undefined)) lists.set(undefined, others);
  return [...lists].map(([letter, listed]) => ({
    title: letter ?? 'Other characters',
    file: letter ?? 'other',
    names: listed,
  }));
}

export function listsByKind(names: readonly string[]): readonly NameList[] {
  const lists = Map.groupBy(alphabetical(names), (name) =>
    kinds.find(({ prefix }) => name.startsWith(prefix)),
  );
  return kinds.flatMap((kind) => {
    const listed = lists.get(kind);
    return listed ? [{ ...kind, names: listed }] : [];
  });
}

/** The list itself if it fits on a page, otherwise ranges of about the same length. */
export function rangesOf(list: NameList): readonly NameList[] {
  const { file, names } = list;
  const pages = Math.ceil(names.length / NAMES_A_PAGE);
  if (pages <= 1) return [list];
  const size = Math.ceil(names.length / pages);
  return Array.from({ length: pages }, (_, i) => {
    const listed = names.slice(i * size, (i + 1) * size);
    return { title: `${listed[0]} to ${listed.at(-1)}`, file: `${file}-${i + 1}`, names: listed };
  });
}

/** `undefined` for names that start with neither a Latin letter nor a digit. */
function letterOf(name: string): string | undefined {
  return /^[a-z0-9]/.exec(name.toLowerCase())?.[0];
}

/** Without regard to case. */
function alphabetical(names: readonly string[]): readonly string[] {
  return names
    .map((name) => [name.toLowerCase(), name] as const)
    .toSorted(([a], [b]) => compareTexts(a, b))
    .map(([, name]) => name);
}
