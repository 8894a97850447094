/**
 * apko's image definitions and their `include:`, merged as apko 1.2 does: single values of the child win, lists are
 * joined with the base's first, maps are joined and the child's keys win. Nothing of a base can be removed.
 *
 * `apko show-config` does the same, but fetches every key and repository.
 */
import { z } from 'zod';

import { CompanionError, errorLine } from './errors.ts';
import { optional, readYaml, text, wholeNumber, yesOrNo } from './yaml.ts';

const strings = z.array(z.string());
const stringMap = z.record(
  z.string(),
  text.transform((own) => own ?? ''),
);

// Strict like apko's own decoder: a misspelt key is an error, not a silently missing setting.
const definitionSchema = z.strictObject({
  include: text,
  contents: optional(
    z.strictObject({
      keyring: optional(strings),
      runtime_keyring: optional(z.array(z.strictObject({ name: z.string(), content: z.string() }))),
      build_repositories: optional(strings),
      runtime_repositories: optional(strings),
      repositories: optional(strings),
      packages: optional(strings),
      baseimage: optional(z.strictObject({ image: z.string(), apkindex: z.string() })),
    }),
  ),
  // apko does not tell an empty one from none.
  entrypoint: optional(
    z
      .strictObject({
        type: text,
        command: text,
        'shell-fragment': text,
        services: optional(stringMap),
      })
      .transform((own) => (Object.values(own).every((value) => value === undefined) ? undefined : own)),
  ),
  cmd: text,
  'stop-signal': text,
  'work-dir': text,
  accounts: optional(
    z.strictObject({
      'run-as': text,
      users: optional(
        z.array(
          z.strictObject({
            username: z.string(),
            uid: wholeNumber.pipe(z.int().positive()),
            gid: optional(wholeNumber),
            shell: text,
            homedir: text,
          }),
        ),
      ),
      groups: optional(
        z.array(
          z.strictObject({
            groupname: z.string(),
            gid: optional(wholeNumber),
            members: optional(strings),
          }),
        ),
      ),
    }),
  ),
  archs: optional(strings),
  environment: optional(stringMap),
  paths: optional(
    z.array(
      z.strictObject({
        path: z.string(),
        type: z.enum(['directory', 'empty-file', 'hardlink', 'symlink', 'permissions']),
        uid: optional(wholeNumber),
        gid: optional(wholeNumber),
        permissions: optional(wholeNumber),
        source: text,
        recursive: optional(yesOrNo),
      }),
    ),
  ),
  'vcs-url': text,
  annotations: optional(stringMap),
  volumes: optional(strings),
  layering: optional(
    // An empty one is none, for a base's layering, too; without a budget there is one layer for all origins.
    z.strictObject({ strategy: z.enum(['origin', '']).optional(), budget: optional(wholeNumber) }),
  ),
  format: text,
  certificates: optional(
    z.strictObject({
      additional: optional(z.array(z.strictObject({ name: z.string(), content: z.string() }))),
      providers: optional(strings),
    }),
  ),
});

export type Definition = z.infer<typeof definitionSchema>;

export interface Resolved {
  /** With every `include:` merged; has no `include:` itself. */
  readonly definition: Definition;
  /** The definition's own packages, not merged: the first pin is the image's version. */
  readonly ownPackages: readonly string[];
  /** The file itself, then the files it includes, from the inside out. */
  readonly files: readonly string[];
}

export function parseDefinition(text: string, file: string): Definition {
  return readYaml(definitionSchema, text, file);
}

/** `read` gets names as written in `include:`; apko resolves them against its working directory. */
export function resolveDefinition(file: string, read: (file: string) => string): Resolved {
  return resolve(file, read, []);
}

function resolve(file: string, read: (file: string) => string, includedBy: readonly string[]): Resolved {
  if (includedBy.includes(file)) {
    throw new CompanionError(`${[...includedBy, file].join(' includes ')}: a cycle`);
  }
  const own = parseDefinition(textOf(file, read, includedBy), file);
  const ownPackages = own.contents?.packages ?? [];
  const { include, ...child } = own;
  if (!include) return { definition: child, ownPackages, files: [file] };
  const base = resolve(include, read, [...includedBy, file]);
  return { definition: mergeInto(child, base.definition), ownPackages, files: [file, ...base.files] };
}

function textOf(file: string, read: (file: string) => string, includedBy: readonly string[]): string {
  try {
    return read(file);
  } catch (cause) {
    const path = [...includedBy, file].join(' includes ');
    throw new CompanionError(`${path}: cannot be read: ${errorLine(cause)}`, { cause });
  }
}

/** The child with everything that the base adds. */
export function mergeInto(child: Definition, base: Definition): Definition {
  const single = <T>(own: T | undefined, inherited: T | undefined) => own ?? inherited;
  const joined = <T>(own: T[] | undefined, inherited: T[] | undefined) =>
    own === undefined && inherited === undefined ? undefined : [...(inherited ?? []), ...(own ?? [])];
  const overlaid = (own?: Record<string, string>, inherited?: Record<string, string>) =>
    own === undefined && inherited === undefined ? undefined : { ...inherited, ...own };

  return defined({
    contents: defined({
      keyring: joined(child.contents?.keyring, base.contents?.keyring),
      runtime_keyring: joined(child.contents?.runtime_keyring, base.contents?.runtime_keyring),
      build_repositories: joined(child.contents?.build_repositories, base.contents?.build_repositories),
      runtime_repositories: joined(child.contents?.runtime_repositories, base.contents?.runtime_repositories),
      repositories: joined(child.contents?.repositories, base.contents?.repositories),
      packages: joined(child.contents?.packages, base.contents?.packages),
      baseimage: single(child.contents?.baseimage, base.contents?.baseimage),
    }),
    entrypoint: single(child.entrypoint, base.entrypoint),
    cmd: single(child.cmd, base.cmd),
    'stop-signal': single(child['stop-signal'], base['stop-signal']),
    'work-dir': single(child['work-dir'], base['work-dir']),
    accounts: defined({
      'run-as': single(child.accounts?.['run-as'], base.accounts?.['run-as']),
      users: joined(child.accounts?.users, base.accounts?.users),
      groups: joined(child.accounts?.groups, base.accounts?.groups),
    }),
    // A list, but replaced as a whole: a child narrows the archs it is built for.
    archs: child.archs?.length ? child.archs : base.archs,
    environment: overlaid(child.environment, base.environment),
    paths: joined(child.paths, base.paths),
    // apko does not inherit it.
    'vcs-url': child['vcs-url'],
    annotations: overlaid(child.annotations, base.annotations),
    volumes: joined(child.volumes, base.volumes),
    // Strategy and budget belong together.
    layering: single(child.layering, base.layering),
    format: single(child.format, base.format),
    certificates: single(child.certificates, base.certificates),
  });
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Without keys whose value is undefined, which YAML and comparisons would show. */
function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as Defined<T>;
}
