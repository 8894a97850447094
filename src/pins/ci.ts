/** `apk add` in the scripts of GitLab CI files, in the commands of compose files, and in shell scripts. */
import { isMap, isScalar, isSeq, type Document, type YAMLMap } from 'yaml';
import { changesOf } from '../routing/excerpt.ts';
import { packagesAdded } from './apk-add.ts';
import { parseYaml, resolved, unreadableParts } from './definition.ts';
import { commandOf, dockerfilePins } from './dockerfile.ts';
import type { FilePins, Note, Pin } from './pin.ts';
import { scalarText } from './scalar.ts';
import { shellCommands, singleAssignments, type Budget, type Command } from './shell.ts';
import type { Text } from './text.ts';

export function scriptPins(file: Text, path: string): FilePins {
  const context = { kind: 'script', path, changes: changesOf(file.value) };
  return { kind: 'script', ...packagesAdded(shellCommands(file), context) };
}

/** Each is one script. */
const SCRIPTS = [['before_script', 'script'], ['after_script'], ['run']];

/** The pins of every job, with the image of the job, of `default` or of the top level. */
export function gitlabPins(file: Text, path: string): FilePins | undefined {
  const parsed = read(file);
  if (!parsed) return undefined;
  const { roots } = parsed;
  const found = new Found(parsed.notes);
  const jobs = roots.flatMap((root) => [
    root,
    ...root.map.items.flatMap(({ value }) => (isMap(value) ? [{ ...root, map: value }] : [])),
  ]);
  const scriptImages = new ScriptImages(jobs, roots);
  const variables = roots.flatMap((root) => variablesOf(root, file));
  const changes = changesOf(file.value);
  const budget = { expanded: 0 };
  for (const job of jobs) {
    const known = new Map([...variables, ...variablesOf(job, file)]);
    for (const names of SCRIPTS) {
      const images = scriptImages
        .of(job, names)
        .map((image) => `image: ${image}`)
        .join('\n');
      const script = names.flatMap((name) => lines(job.map.get(name, true), job, file));
      const context = { kind: 'script', path, images, changes };
      found.add(packagesAdded(commandsOf(script, known, budget), context));
    }
  }
  return found.of('gitlab-ci');
}

/** What the scripts of a file have, each once: scripts that share lines by an anchor have them at one place. */
class Found {
  readonly #pins = new Map<string, Pin>();
  readonly #notes = new Map<string, Note>();
  readonly #uses: number[] = [];

  constructor(notes: readonly Note[]) {
    this.add({ pins: [], notes });
  }

  add({ pins, notes, uses = [] }: Omit<FilePins, 'kind'>): void {
    for (const pin of pins) {
      const { range, versionRange, text, context } = pin;
      // Scripts may share lines and have other variables, and stages other images.
      const key = [range.start, versionRange?.start ?? text, context['images'], context['from']].join(' ');
      this.#pins.set(key, pin);
    }
    for (const note of notes) this.#notes.set(`${note.range.start} ${note.message}`, note);
    this.#uses.push(...uses);
  }

  of(kind: FilePins['kind']): FilePins {
    return { kind, pins: [...this.#pins.values()], notes: [...this.#notes.values()], uses: this.#uses };
  }
}

/** A line sees the variables that earlier lines set. */
function commandsOf(
  script: readonly Text[],
  known: ReadonlyMap<string, Text>,
  budget: Budget,
): readonly Command[] {
  const commands = (variable: (name: string) => Text | undefined): readonly Command[] =>
    script.flatMap((line) => shellCommands(line, { variable, budget }));
  const set = singleAssignments(commands((name) => known.get(name)));
  return commands((name) => (set.has(name) ? set.get(name) : known.get(name)));
}

/** `command` and `entrypoint` of services, and Dockerfiles in `build.dockerfile_inline`. */
export function composePins(file: Text, path: string): FilePins | undefined {
  const parsed = read(file);
  if (!parsed) return undefined;
  const found = new Found(parsed.notes);
  const changes = changesOf(file.value);
  const budget = { expanded: 0 };
  for (const root of parsed.roots) {
    const services = resolved(root.map.get('services', true), root.document);
    // Services refer to extensions by anchors.
    const extensions = root.map.items.filter(({ key }) => isScalar(key) && /^x-/.test(String(key.value)));
    for (const { value } of [...(isMap(services) ? services.items : []), ...extensions]) {
      const service = inside(root, value);
      const image = imageOf(service);
      const context = { kind: 'script', path, images: image === undefined ? '' : `image: ${image}`, changes };
      if (!service) continue;
      found.add(packagesAdded(serviceCommands(service, file, budget), context));
      const build = inside(service, service.map.get('build', true));
      const inline = scalarText(valueOf(build, 'dockerfile_inline')?.value, file);
      if (inline) found.add(dockerfilePins(inline, budget));
    }
  }
  return found.of('compose');
}

function serviceCommands(service: Part, file: Text, budget: Budget): readonly Command[] {
  const commands = ['entrypoint', 'command'].map((name) => {
    const given = resolved(service.map.get(name, true), service.document);
    return { words: lines(given, service, file), isList: isSeq(given) };
  });
  const [entrypoint] = commands;
  // `entrypoint: [sh, -c]` runs the command.
  if (/^-[a-z]*c$/.test(entrypoint?.words.at(-1)?.value ?? ''))
    return commandOf(
      commands.flatMap(({ words }) => words),
      budget,
    );
  return commands.flatMap(({ words, isList }) =>
    isList ? commandOf(words, budget) : words.flatMap((text) => shellCommands(text, { budget })),
  );
}

/** A job with its image, and what it inherits keys of: other jobs, by `extends` or `<<`, `default` and the top level. */
interface JobImage {
  readonly map: YAMLMap;
  readonly image: string | undefined;
  /** Not if it extends a job of another file, which may have its image. */
  readonly isKnown: boolean;
  readonly bases: ReadonlySet<YAMLMap>;
  /** Jobs whose lines it takes by `!reference`. */
  readonly quotes: ReadonlySet<YAMLMap>;
}

/** In which images the scripts of a file run. */
class ScriptImages {
  readonly #roots: readonly Part[];
  /** Every image of the file. */
  readonly #all: readonly string[];
  /** The image of a job that has none. */
  readonly #standard: string | undefined;
  /** What every job inherits keys of. */
  readonly #shared: readonly YAMLMap[];
  readonly #jobs: readonly JobImage[];

  constructor(jobs: readonly Part[], roots: readonly Part[]) {
    this.#roots = roots;
    const images = roots.flatMap((root) => [
      imageOf(root),
      ...root.map.items.map(({ value }) => imageOf(inside(root, value))),
    ]);
    this.#all = [...new Set(images.flatMap((image) => image ?? []))];
    this.#standard = roots.flatMap((root) => imageOf(defaultOf(root)) ?? imageOf(root) ?? []).at(-1);
    this.#shared = roots.flatMap((root) => [root, defaultOf(root) ?? []].flat()).map(({ map }) => map);
    this.#jobs = jobs.map((job) => this.#read(job));
  }

  /** Of the script that a job has in these keys: the image of the job, and those of jobs that inherit the script. */
  of(job: Part, names: readonly string[]): readonly string[] {
    const own = this.#jobs.find(({ map }) => map === job.map);
    if (!own?.isKnown) return this.#all;
    const inherited = names.filter((name) => job.map.has(name));
    const inheriting = this.#jobs.filter(
      ({ map, bases, quotes }) =>
        quotes.has(job.map) || (bases.has(job.map) && inherited.some((name) => !map.has(name))),
    );
    return [...new Set([own, ...inheriting].flatMap(({ image }) => image ?? []))];
  }

  #read(job: Part): JobImage {
    const isKnown = imageOf(job) !== undefined || this.#isKnown(job);
    const quoted = SCRIPTS.flat().flatMap((name) => references(job.map.get(name, true), job));
    return {
      map: job.map,
      image: this.#imageOf(job) ?? (isKnown ? this.#standard : undefined),
      isKnown,
      bases: new Set([...this.#shared, ...this.#basesOf(job)]),
      quotes: new Set(quoted.flatMap((name) => this.#named(name)).map(({ map }) => map)),
    };
  }

  #named(name: unknown): readonly Part[] {
    if (!isScalar(name)) return [];
    return this.#roots.flatMap((root) => inside(root, root.map.get(String(name.value), true)) ?? []);
  }

  #extended(part: Part): readonly Part[] {
    return extendedNames(part).flatMap((name) => this.#named(name));
  }

  #basesOf(part: Part, bases = new Set<YAMLMap>()): ReadonlySet<YAMLMap> {
    for (const base of [...this.#extended(part), ...merged(part)]) {
      if (bases.has(base.map)) continue;
      bases.add(base.map);
      this.#basesOf(base, bases);
    }
    return bases;
  }

  /** Its own, or that of the last one it extends. */
  #imageOf(part: Part, seen = new Set<YAMLMap>()): string | undefined {
    if (seen.has(part.map)) return undefined;
    seen.add(part.map);
    return (
      imageOf(part) ??
      this.#extended(part)
        .flatMap((base) => this.#imageOf(base, seen) ?? [])
        .at(-1)
    );
  }

  #isKnown(part: Part, seen = new Set<YAMLMap>()): boolean {
    if (seen.has(part.map)) return true;
    seen.add(part.map);
    return (
      extendedNames(part).every((name) => this.#named(name).length > 0) &&
      this.#extended(part).every((base) => this.#isKnown(base, seen))
    );
  }
}

function defaultOf(root: Part): Part | undefined {
  return inside(root, root.map.get('default', true));
}

function extendedNames(part: Part): readonly unknown[] {
  const value = valueOf(part, 'extends')?.value;
  if (value === undefined) return [];
  return isSeq(value) ? value.items : [value];
}

/** The names of the jobs in the `!reference` of a list. */
function references(node: unknown, part: Part, seen = new Set<unknown>()): readonly unknown[] {
  const value = resolved(node, part.document);
  if (!isSeq(value) || seen.has(value)) return [];
  seen.add(value);
  if (value.tag === '!reference') return value.items.slice(0, 1);
  return value.items.flatMap((item) => references(item, part, seen));
}

/** The mappings of `<<`, one or a list. */
function merged(part: Part): readonly Part[] {
  const value = resolved(part.map.get('<<', true), part.document);
  return (isSeq(value) ? value.items : [value]).flatMap((each) => inside(part, each) ?? []);
}

/** A mapping, and the document whose anchors it may name. */
interface Part {
  readonly map: YAMLMap;
  readonly document: Document;
}

function inside({ document }: Part, node: unknown): Part | undefined {
  const map = resolved(node, document);
  return isMap(map) ? { map, document } : undefined;
}

function read(file: Text): { roots: readonly Part[]; notes: readonly Note[] } | undefined {
  if (!/\bapk\b|PACKAGES=/.test(file.value)) return undefined;
  const documents = parseYaml(file.value);
  const roots = documents.flatMap((document) =>
    isMap(document.contents) ? [{ map: document.contents, document }] : [],
  );
  return { roots, notes: unreadableParts(documents, file) };
}

/** Its own image, or that of a merged mapping (`<<: *base`); empty if the name cannot be read. */
function imageOf(part: Part | undefined): string | undefined {
  const image = valueOf(part, 'image');
  if (image === undefined) return undefined;
  const name = isMap(image.value) ? valueOf(inside(image.part, image.value), 'name')?.value : image.value;
  return isScalar(name) && typeof name.value === 'string' ? name.value : '';
}

/** The value of a key, also from merged mappings. */
function valueOf(
  part: Part | undefined,
  key: string,
  seen = new Set<unknown>(),
): { readonly value: unknown; readonly part: Part } | undefined {
  if (!part || seen.has(part.map)) return undefined;
  seen.add(part.map);
  const { map, document } = part;
  if (map.has(key)) return { value: resolved(map.get(key, true), document), part };
  return merged(part)
    .map((base) => valueOf(base, key, seen))
    .find((each) => each !== undefined);
}

function variablesOf({ map, document }: Part, file: Text): readonly (readonly [string, Text])[] {
  const variables = resolved(map.get('variables', true), document);
  if (!isMap(variables)) return [];
  return variables.items.flatMap(({ key, value }) => {
    const text = scalarText(isMap(value) ? value.get('value', true) : value, file);
    return isScalar(key) && text && !text.value.includes('$') ? [[String(key.value), text] as const] : [];
  });
}

/** The lines of a list, including nested lists and the scripts of steps (`run:`). */
function lines(node: unknown, part: Part, file: Text, seen = new Set<unknown>()): readonly Text[] {
  const value = resolved(node, part.document);
  if (isSeq(value) || isMap(value)) {
    // Through anchors, they may contain each other.
    if (seen.has(value)) return [];
    seen.add(value);
    const inner = isSeq(value) ? value.items : [value.get('script', true)];
    return inner.flatMap((item) => lines(item, part, file, seen));
  }
  const text = scalarText(value, file);
  return text ? [text] : [];
}
