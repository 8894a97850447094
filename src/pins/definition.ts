/**
 * apko's image definitions and lock files, melange's recipes and pipelines, and definitions of Docker Hardened Images:
 * YAML that lists packages under `contents.packages`, `needs.packages` and `dependencies.runtime`.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseAllDocuments,
  visit,
  type Document,
  type Node,
  type YAMLMap,
} from 'yaml';
import {
  asName,
  isExactPin,
  parsePin,
  type FilePins,
  type Kind,
  type Note,
  type Pin,
  type Repeat,
} from './pin.ts';
import { scalarText } from './scalar.ts';
import { plainText, rangeOf, slice, spanOf, wordsOf, type Text } from './text.ts';

/** Reads a file as `include:` names it; `undefined` if there is none. */
export type ReadInclude = (path: string) => IncludedFile | undefined;

export interface IncludedFile {
  readonly path: string;
  readonly text: string;
}

const MAX_INCLUDES = 20;

/** `undefined` for YAML that is something else. */
export function definitionPins(file: Text, readInclude: ReadInclude = () => undefined): FilePins | undefined {
  const { value } = file;
  if (!/\b(?:packages|runtime)["']?\s*:|^include\s*:/m.test(value)) return undefined;
  const documents = parseYaml(value);
  const [unreadable] = unreadableParts(documents, file);
  if (unreadable) {
    if (!/^[ \t]*contents:|^package:/m.test(value)) return undefined;
    return { kind: 'apko', pins: [], notes: [unreadable] };
  }
  return merged(documents.flatMap((document) => documentPins(document, file, readInclude) ?? []));
}

export function parseYaml(text: string): readonly Document[] {
  const parsed = parseAllDocuments(text, {
    logLevel: 'silent',
    uniqueKeys: false,
    strict: false,
    prettyErrors: false,
  });
  return Array.isArray(parsed) ? (parsed as Document[]) : [];
}

/** The first error of each document. */
export function unreadableParts(documents: readonly Document[], file: Text): readonly Note[] {
  return documents.flatMap(({ errors: [error] }): Note[] => {
    if (!error) return [];
    const start = file.at(error.pos[0]);
    const message = error.message.split('\n', 1)[0] ?? '';
    return [{ reason: 'unreadable', message, range: { start, end: start + 1 } }];
  });
}

/** Keys that a mapping has twice, which apko and melange refuse. */
function repeatedKeys(document: Document, file: Text): readonly Note[] {
  const notes: Note[] = [];
  visit(document, {
    Map: (_, { items }) => {
      const seen = new Set<string>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        const start = file.at(key.range?.[0] ?? 0);
        if (seen.has(name))
          notes.push({
            reason: 'unreadable',
            message: `the key ${name} is there twice`,
            range: { start, end: start + 1 },
          });
        seen.add(name);
      }
    },
  });
  return notes;
}

function merged([first, ...others]: readonly FilePins[]): FilePins | undefined {
  if (!first || others.length === 0) return first;
  const all = [first, ...others];
  return {
    kind: first.kind,
    pins: all.flatMap(({ pins }) => pins),
    notes: all.flatMap(({ notes }) => notes),
    builds: all.flatMap(({ builds = [] }) => builds),
  };
}

interface List {
  readonly items: readonly Node[];
  readonly isRuntime: boolean;
  /** The file's own `contents.packages`. */
  readonly isMain: boolean;
  readonly at: number;
}

function documentPins(document: Document, file: Text, readInclude: ReadInclude): FilePins | undefined {
  const root = document.contents;
  if (!isMap(root)) return undefined;
  const lists = packageLists(document, root);
  const kind = kindOf(root, file.value);
  if (kind === 'apko-lock') return lockPins(root, file);
  const isRecipe = kind === 'melange';
  if (lists.length === 0 && !(kind === 'apko' && root.has('include'))) return undefined;
  const repeated = repeatedKeys(document, file);
  if (repeated.length > 0) return { kind, pins: [], notes: repeated };
  const notes: Note[] = [];
  const own = listedIn(document, root);
  const isDebian =
    own.repositories.length === 0
      ? /^# syntax=dhi\.io\/build:\S*debian/m.test(file.value.slice(0, 2000))
      : own.repositories.some((line) => /^deb(?:-src)?\s/.test(line));
  if (isDebian) return { kind, pins: [], notes: [] };
  const place = include(root, file);
  const listed = included(own, readInclude, notes, place);
  const context = contextOf(listed);
  const variables = isRecipe ? recipeVariables(root) : new Map<string, string>();
  const pins: Pin[] = [];
  const tool = kind === 'hardened-image' ? 'apk' : 'apko';
  for (const { items, isRuntime, at } of lists) {
    for (const item of items) {
      const text = scalarText(resolved(item, document), file);
      if (!text || text.value === '') continue;
      const listed = pinsOf(text, { variables, tool, world: at, isRuntime, context });
      pins.push(...listed.pins);
      if (listed.note) notes.push(listed.note);
    }
  }
  const main = lists.find(({ isMain }) => isMain);
  const base = listed.packages.flatMap(({ text, path }): readonly Pin[] => {
    const world = { variables, tool, world: main?.at ?? 0, isRuntime: false, context } as const;
    const { pins } = pinsOf(plainText(text), world);
    return pins.map((pin) => ({ ...pin, range: place, versionRange: undefined, includedFrom: path }));
  });
  if (lists.length === 0 && base.length === 0) return undefined;
  const builds = isRecipe ? builtNames(root, variables) : [];
  const repeats = kind === 'hardened-image' ? repeatsOf(root, pins, file) : [];
  return {
    ...{ kind, pins, notes },
    ...(base.length > 0 && { included: base }),
    ...(repeats.length > 0 && { repeats }),
    ...(builds.length > 0 && { builds }),
  };
}

function kindOf(root: YAMLMap, text: string): Kind {
  if (/^# syntax=dhi\.io\/build/m.test(text.slice(0, 2000))) return 'hardened-image';
  if (isMap(root.get('package')) || root.has('pipeline')) return 'melange';
  const contents = root.get('contents');
  const isLock =
    root.has('version') &&
    isMap(contents) &&
    isSeq(contents.get('packages')) &&
    isMap((contents.get('packages') as { items?: unknown[] }).items?.[0]);
  if (isLock) return 'apko-lock';
  return root.has('image') && root.has('name') ? 'hardened-image' : 'apko';
}

/** Every `contents.packages` and `needs.packages` at any depth, and runtime dependencies. */
function packageLists(document: Document, root: YAMLMap): readonly List[] {
  const lists: List[] = [];
  const seen = new Set<unknown>();
  const visit = (node: unknown): void => {
    const value = resolved(node, document);
    if (seen.has(value)) return;
    if (isSeq(value)) {
      seen.add(value);
      for (const item of value.items) visit(item);
    } else if (isMap(value)) {
      seen.add(value);
      for (const { key, value: inner } of value.items) {
        const name = isScalar(key) ? key.value : undefined;
        const child = resolved(inner, document);
        if ((name === 'contents' || name === 'needs') && isMap(child))
          add(child.get('packages', true), false);
        if (name === 'dependencies' && isMap(child)) add(child.get('runtime', true), true);
        visit(inner);
      }
    }
  };
  const add = (node: unknown, isRuntime: boolean): void => {
    const list = resolved(node, document);
    if (isSeq(list) && !lists.some(({ at }) => at === list.range?.[0]))
      lists.push({
        ...{ items: list.items as Node[], isRuntime, at: list.range?.[0] ?? 0 },
        isMain: list === packagesOf(document, root),
      });
  };
  visit(root);
  return lists;
}

function packagesOf(document: Document, root: YAMLMap): unknown {
  const contents = resolved(root.get('contents', true), document);
  return isMap(contents) ? resolved(contents.get('packages', true), document) : undefined;
}

export function resolved(node: unknown, document: Document): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

function texts(node: unknown): readonly string[] {
  if (isScalar(node) && typeof node.value === 'string') return [node.value];
  return isSeq(node) ? node.items.flatMap(texts) : [];
}

interface Listed {
  readonly repositories: readonly string[];
  readonly archs: readonly string[];
  /** The entries of `contents.packages` of included files. */
  readonly packages: readonly IncludedFile[];
  readonly include: string | undefined;
}

function listedIn(document: Document, root: YAMLMap): Listed {
  const repositories: string[] = [];
  const seen = new Set<unknown>();
  const visit = (node: unknown): void => {
    const value = resolved(node, document);
    if (seen.has(value)) return;
    if (isSeq(value) || isMap(value)) seen.add(value);
    if (isSeq(value)) for (const item of value.items) visit(item);
    if (isMap(value))
      for (const { key, value: inner } of value.items) {
        if (isScalar(key) && /^(?:build_|runtime_)?repositories$/.test(String(key.value)))
          repositories.push(...texts(resolved(inner, document)));
        visit(inner);
      }
  };
  visit(root);
  const packaged = root.get('package');
  const archs = [
    root.get('archs'),
    root.get('platforms'),
    isMap(packaged) && packaged.get('target-architecture'),
  ];
  const include = root.get('include');
  return {
    repositories: [...new Set(repositories)],
    archs: archs.flatMap(texts),
    packages: [],
    include: typeof include === 'string' ? include : undefined,
  };
}

function include(root: YAMLMap, file: Text): Note['range'] {
  const text = scalarText(root.get('include', true), file);
  const start = text && text.value !== '' ? text.at(0) : 0;
  return { start, end: start + (text?.value.length ?? 1) };
}

/**
 * Merges the lists of included files: repositories are joined, the base's first; the child's archs win if it has any.
 */
function included(own: Listed, readInclude: ReadInclude, notes: Note[], range: Note['range']): Listed {
  let listed = own;
  const seen = new Set<string>();
  for (let path = own.include; path !== undefined;) {
    const file = seen.has(path) || seen.size === MAX_INCLUDES ? undefined : readInclude(path);
    const [document] = file ? parseYaml(file.text) : [];
    if (!file || !document || !isMap(document.contents) || document.errors.length > 0) {
      const isAddress = /^[a-z]+:\/\/|@/.test(path);
      const fact = seen.has(path) ? 'includes itself' : 'cannot be read';
      if (!isAddress)
        notes.push({ reason: 'missing-include', message: `the included file ${path} ${fact}`, range });
      // The configuration may assign it by its name.
      return { ...listed, include: path };
    }
    seen.add(path);
    const base = listedIn(document, document.contents);
    const packages = texts(packagesOf(document, document.contents));
    listed = {
      repositories: [...new Set([...base.repositories, ...listed.repositories])],
      archs: listed.archs.length > 0 ? listed.archs : base.archs,
      packages: [...packages.map((text) => ({ path: file.path, text })), ...listed.packages],
      // Assigned by its name if neither file lists a repository.
      include: listed.include,
    };
    path = base.include;
  }
  return listed;
}

function contextOf({ repositories, archs, include }: Listed): Pin['context'] {
  return {
    kind: 'definition',
    repositories: repositories.join('\n'),
    archs: archs.join(','),
    ...(include !== undefined && { include }),
  };
}

interface Listing {
  readonly variables: ReadonlyMap<string, string>;
  readonly tool: Pin['tool'];
  readonly world: number;
  readonly isRuntime: boolean;
  readonly context: Pin['context'];
}

/** apko splits a string at blanks: `foo>=1 foo<2`. */
function pinsOf(text: Text, { variables, ...surroundings }: Listing): { pins: readonly Pin[]; note?: Note } {
  const range = spanOf(text);
  const written = substituted(text.value, variables);
  if (written === undefined) {
    const message = `${text.value}: a variable without a known value`;
    return { pins: [], note: { reason: 'unknown-variable', message, range } };
  }
  const isChanged = written !== text.value;
  const pins = wordsOf(isChanged ? plainText(written) : text).flatMap(
    (word) => pinOf(word, surroundings) ?? [],
  );
  return { pins: isChanged ? pins.map((pin) => ({ ...pin, range, versionRange: undefined })) : pins };
}

function pinOf(word: Text, surroundings: Omit<Listing, 'variables'>): Pin | undefined {
  const isInstalled = surroundings.tool === 'apko' && !surroundings.isRuntime;
  const spelled = parsePin(word.value) ?? (isInstalled ? asName(word.value) : undefined);
  if (!spelled) return undefined;
  const { versionAt, ...parts } = spelled;
  return {
    ...parts,
    ...surroundings,
    context: { ...surroundings.context, ...(parts.tag !== undefined && { tag: parts.tag }) },
    text: word.value,
    range: spanOf(word),
    versionRange: rangeOf(slice(word, versionAt, versionAt + parts.version.length)),
    isLocked: false,
  };
}

/** Replaces melange's `${{…}}`; `undefined` if one of them is unknown. */
function substituted(text: string, variables: ReadonlyMap<string, string>): string | undefined {
  if (!text.includes('${{') && !text.includes('{{')) return text;
  let isKnown = true;
  const result = text.replace(/\$\{\{\s*([^}\s]+)\s*\}\}/g, (all, name: string) => {
    const value = variables.get(name);
    if (value === undefined) isKnown = false;
    return value ?? all;
  });
  return isKnown && !result.includes('{{') ? result : undefined;
}

function recipeVariables(root: YAMLMap): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  const own = root.get('package');
  const field = (name: string): string | undefined => {
    const node = isMap(own) ? own.get(name, true) : undefined;
    return isScalar(node) ? spelling(node) : undefined;
  };
  const [name, version, epoch] = [field('name'), field('version'), field('epoch')];
  if (name !== undefined) variables.set('package.name', name);
  if (version !== undefined) variables.set('package.version', version);
  if (epoch !== undefined) variables.set('package.epoch', epoch);
  if (version !== undefined && epoch !== undefined)
    variables.set('package.full-version', `${version}-r${epoch}`);
  const vars = root.get('vars');
  if (isMap(vars))
    for (const { key, value } of vars.items)
      if (isScalar(key) && isScalar(value)) variables.set(`vars.${String(key.value)}`, spelling(value));
  const inputs = root.get('inputs');
  if (isMap(inputs))
    for (const { key, value } of inputs.items) {
      const preset = isMap(value) ? value.get('default', true) : undefined;
      if (isScalar(key) && isScalar(preset) && preset.value !== null)
        variables.set(`inputs.${String(key.value)}`, spelling(preset));
    }
  return variables;
}

/** The packages that the recipe builds, which may not be in any index yet. */
function builtNames(root: YAMLMap, variables: ReadonlyMap<string, string>): readonly string[] {
  const own = root.get('package');
  const subpackages = root.get('subpackages');
  const parts = [own, ...(isSeq(subpackages) ? subpackages.items : [])].filter((each) => isMap(each));
  return parts.flatMap((part) => {
    const name = part.get('name');
    const dependencies = part.get('dependencies');
    const provides = isMap(dependencies) ? texts(dependencies.get('provides')) : [];
    return rangeOver(part, root, variables).flatMap((known) => {
      const written = typeof name === 'string' ? substituted(name, known) : undefined;
      return [
        ...(written === undefined ? [] : [written]),
        ...provides.flatMap((each) => parsePin(substituted(each, known) ?? each)?.name ?? []),
      ];
    });
  });
}

/** The variables of each package that a subpackage with `range:` becomes. */
function rangeOver(
  part: YAMLMap,
  root: YAMLMap,
  variables: ReadonlyMap<string, string>,
): readonly ReadonlyMap<string, string>[] {
  if (!part.has('range')) return [variables];
  const data = root.get('data');
  const lists = isSeq(data) ? data.items.filter((each) => isMap(each)) : [];
  const items = lists.find((each) => each.get('name') === part.get('range'))?.get('items');
  if (!isMap(items)) return [];
  return items.items.map(
    ({ key, value }) =>
      new Map([...variables, ['range.key', spelling(key)], ['range.value', spelling(value)]]),
  );
}

/** The source text, because `version: 1.10` is a number in YAML. */
function spelling(node: unknown): string {
  return isScalar(node) ? (node.source ?? String(node.value)) : '';
}

/** `vars.VERSION` and tags of a hardened image that repeat the version of a pin. */
function repeatsOf(root: YAMLMap, pins: readonly Pin[], file: Text): readonly Repeat[] {
  const repeats: Repeat[] = [];
  const vars = root.get('vars');
  const version = isMap(vars) ? scalarText(vars.get('VERSION', true), file) : undefined;
  const exact = pins.map((pin, i) => ({ pin, i })).filter(({ pin }) => isExactPin(pin));
  const bare = (text: string): string => text.replace(/-r\d+$/, '');
  const main =
    version &&
    (exact.find(({ pin }) => pin.version === version.value) ??
      exact.find(({ pin }) => bare(pin.version) === version.value));
  const place = version && rangeOf(version);
  if (main && place)
    repeats.push({ pin: main.i, range: place, hasRevision: version.value === main.pin.version });
  const tags = root.get('tags');
  const repeated = main ?? exact[0];
  if (!repeated || !isSeq(tags)) return repeats;
  for (const tag of tags.items) {
    const text = scalarText(tag, file);
    for (const hasRevision of [true, false]) {
      const wanted = hasRevision ? repeated.pin.version : bare(repeated.pin.version);
      const isThere =
        text &&
        (text.value === wanted || text.value.startsWith(`${wanted}-`)) &&
        (hasRevision || !/^-r\d/.test(text.value.slice(wanted.length)));
      const range = isThere ? rangeOf(slice(text, 0, wanted.length)) : undefined;
      if (range) {
        repeats.push({ pin: repeated.i, range, hasRevision });
        break;
      }
    }
  }
  return repeats;
}

/** `apko.lock.json`: each package of each arch with its address. */
function lockPins(root: YAMLMap, file: Text): FilePins {
  const contents = root.get('contents');
  const packages = isMap(contents) ? contents.get('packages') : undefined;
  const listed = isMap(contents)
    ? ['repositories', 'build_repositories'].flatMap((key) => lockRepositories(contents.get(key)))
    : [];
  const pins: Pin[] = [];
  for (const item of isSeq(packages) ? packages.items : []) {
    if (!isMap(item)) continue;
    const name = item.get('name');
    const version = scalarText(item.get('version', true), file);
    const arch = item.get('architecture');
    if (typeof name !== 'string' || !version || version.value === '') continue;
    const range = rangeOf(version) ?? { start: version.at(0), end: version.at(0) + 1 };
    pins.push({
      text: `${name}=${version.value}`,
      name,
      operator: '=',
      version: version.value,
      tag: undefined,
      tagIsBehind: false,
      tool: 'apko',
      range,
      versionRange: range,
      world: 0,
      isRuntime: false,
      isLocked: true,
      context: {
        kind: 'definition',
        repositories: [...new Set(listed)].join('\n'),
        archs: typeof arch === 'string' ? arch : '',
      },
    });
  }
  return { kind: 'apko-lock', pins, notes: [] };
}

function lockRepositories(node: unknown): readonly string[] {
  if (!isSeq(node)) return [];
  return node.items.flatMap((item) => {
    const url = isMap(item) ? item.get('url') : isScalar(item) ? item.value : undefined;
    return typeof url === 'string' ? [url.replace(/\/[^/]+\/APKINDEX\.tar\.gz$/, '')] : [];
  });
}
