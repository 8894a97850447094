/**
 * What a file says about a pin. `route` decides from this alone which datasource is asked. `parsePinContext` reads it
 * from the parameters of a lookup, as written by the preset.
 */
import { archOfDefinition } from '../archs.ts';
import { parseChanges, parseDockerfile, withoutTokens, type Changes, type Dockerfile } from './dockerfile.ts';
import { parseRepositoryLine, type RepositoryLine } from './repositories.ts';

export type PinContext = DockerfilePin | DefinitionPin | NotePin | ScriptPin | CutPin | UnreadablePin;

/** `apk add name=version` in a Dockerfile, or a variable used by it. */
export interface DockerfilePin extends CommandPin {
  readonly kind: 'dockerfile';
  readonly dockerfile: Dockerfile;
  /** The FROM line of the pin's stage; `undefined` for the last stage of the excerpt. */
  readonly from: string | undefined;
}

/** A pin of an apko, melange or Docker Hardened Images definition. */
export interface DefinitionPin {
  readonly kind: 'definition';
  /** All repositories that the file lists. */
  readonly repositories: readonly RepositoryLine[];
  /** The file it includes, a path or an address. */
  readonly include: string | undefined;
  /** apk's names. */
  readonly archs: readonly string[];
  readonly tag: string | undefined;
}

/** A version with a comment before it: `# renovate: datasource=custom.alpine depName=curl`. */
export interface NotePin {
  readonly kind: 'note';
  /** As written: `custom.alpine`, `repology`, `apk`. */
  readonly datasource: string;
  /** As written: `curl`, `alpine_3_22/curl`. */
  readonly name: string;
  readonly registryUrl: string | undefined;
  /** The file; scripts have no stages. */
  readonly dockerfile: Dockerfile;
}

/** `apk add name=version` in a shell script or a CI file. */
export interface ScriptPin extends CommandPin {
  readonly kind: 'script';
  readonly path: string;
  /** Images in which a CI file runs jobs; one is empty if its name was not found. */
  readonly images: readonly string[];
  /** The command runs in another container or on another host. */
  readonly isElsewhere: boolean;
  readonly changes: Changes;
}

interface CommandPin {
  /** apk's `@tag` on the pin. */
  readonly tag: string | undefined;
  /** Repositories of this command only: `-X`, `--repository`. */
  readonly commandRepositories: readonly string[];
}

/** The context was too long for a lookup, or its Dockerfile has too many stages. */
export interface CutPin {
  readonly kind: 'cut';
}

/** No context, or one that another version of the preset wrote. */
export interface UnreadablePin {
  readonly kind: 'unreadable';
}

export type ContextParameters = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What the JSON array of the parameter `at` holds, by kind. */
export const contextFields = {
  dockerfile: ['x', 'from', 'file'],
  script: ['x', 'folder', 'path', 'images', 'changes', 'elsewhere'],
  note: ['note', 'file'],
} as const;

/** More stages than a Dockerfile has. Each may build on all before it, and following them takes time. */
const MAX_STAGES = 250;

/** `undefined` if it has too many stages. */
function dockerfileOf(excerpt: string): Dockerfile | undefined {
  const dockerfile = parseDockerfile(excerpt);
  return dockerfile.stages.length > MAX_STAGES ? undefined : dockerfile;
}

export function parsePinContext(given: ContextParameters): PinContext {
  const parameters = unfolded(given);
  if (!parameters) return { kind: 'cut' };
  const text = (name: string): string => last(parameters[name]);
  const tag = tagOf(text('current')) ?? (text('tag').trim() || undefined);
  const command = { tag, commandRepositories: commandRepositories(text('x')) };
  switch (text('kind')) {
    case 'dockerfile': {
      const dockerfile = dockerfileOf(text('file'));
      // Empty for a command before all stages.
      const from = parameters['from'] === undefined ? undefined : withoutTokens(text('from'));
      return dockerfile ? { kind: 'dockerfile', dockerfile, from, ...command } : { kind: 'cut' };
    }
    case 'note': {
      const dockerfile = dockerfileOf(text('file'));
      return dockerfile ? { kind: 'note', ...noteOf(text('note')), dockerfile } : { kind: 'cut' };
    }
    case 'definition': {
      const lines = text('repositories').split('\n');
      return {
        kind: 'definition',
        repositories: lines.filter((line) => line.trim() !== '').map(parseRepositoryLine),
        include: text('include').trim() || undefined,
        archs: text('archs').split(',').flatMap(archName),
        tag,
      };
    }
    case 'script':
      return {
        kind: 'script',
        path: `${text('folder')}/${text('path')}`.replace(/^(?:\.?\/)+/, ''),
        images: imagesOf(text('images')),
        isElsewhere: text('elsewhere') !== '',
        changes: parseChanges(text('changes')),
        ...command,
      };
    case 'cut':
      return { kind: 'cut' };
    default:
      return { kind: 'unreadable' };
  }
}

/** Expands the values of `at` to single parameters; `undefined` if the context was cut. */
function unfolded(parameters: ContextParameters): ContextParameters | undefined {
  const kind = last(parameters['kind']);
  if (parameters['at'] === undefined || !Object.hasOwn(contextFields, kind)) return parameters;
  const values = parsedArray(last(parameters['at']));
  return (
    values && {
      ...parameters,
      ...Object.fromEntries(
        contextFields[kind as keyof typeof contextFields].flatMap((field, i) => {
          const value = values[i];
          return typeof value === 'string' ? [[field, value]] : [];
        }),
      ),
    }
  );
}

function parsedArray(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `@edge=1.0-r0`, `=1.0-r0@edge`. */
function tagOf(pin: string): string | undefined {
  return /@([^=~@"']+)/.exec(pin)?.[1];
}

/** The last value of a repeated parameter. */
function last(value: string | readonly string[] | undefined): string {
  return typeof value === 'string' ? value : (value?.at(-1) ?? '');
}

/** The fields of a comment `# renovate: datasource=… depName=…`. */
function noteOf(note: string): Pick<NotePin, 'datasource' | 'name' | 'registryUrl'> {
  const field = (name: string): string | undefined =>
    new RegExp(`(?:^|[\\s#])${name}=(\\S+)`).exec(note)?.[1];
  return {
    datasource: field('datasource') ?? '',
    name: field('packageName') ?? field('depName') ?? '',
    registryUrl: field('registryUrl'),
  };
}

/** The list of the image, as for `--root`, and an empty one: neither names a repository. */
const PLAIN_LISTS = ['/etc/apk/repositories', '/dev/null'];

function commandRepositories(text: string): readonly string[] {
  const withoutComments = text.replace(/\s#[^\n]*/g, '');
  return [
    ...withoutComments.matchAll(
      /(?:^|[\s"'])(?:-[A-Za-z]*X|--repository|--repositories-file)[\s=\\"']*([^\s"']+)/g,
    ),
  ]
    .map((match) => match[1] ?? '')
    .filter((each) => !PLAIN_LISTS.includes(each));
}

/**
 * `image: X`, `image: { name: X }`, and `image:` with `name: X` below it; an image without a name is empty. An alias of one
 * of them (`image: *anchor`) is not a further image.
 */
function imagesOf(text: string): readonly string[] {
  const images: string[] = [];
  const aliases = new Set([...text.matchAll(/:[ \t]*&([^\s{},]+)/g)].map(([, anchor]) => `*${anchor}`));
  let isNameless = false;
  for (const [, key, image = ''] of text.matchAll(
    /(image|name)["']?:[ \t]*(?:&\S+[ \t]+)?["']?((?:\$\{\w+\}|[^\s"'#&{},])*)/g,
  )) {
    if (key === 'image' && isNameless) images.push('');
    isNameless = image === '';
    if (!isNameless && !aliases.has(image)) images.push(image);
  }
  return [...new Set(isNameless ? [...images, ''] : images)];
}

/** apk's name of an arch; `all` and `host` mean no restriction. */
function archName(name: string): readonly string[] {
  const arch = name.trim().replace(/^linux\//, '');
  return ['', 'all', 'host'].includes(arch) ? [] : [archOfDefinition(arch)];
}
