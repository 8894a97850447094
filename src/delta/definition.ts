/** Reads an image's packages and layers from an apko definition or lock file. */
import * as z from 'zod';
import { parse } from 'yaml';
import { archOfDefinition } from '../archs.ts';
import { UsageError } from '../errors.ts';

/** A definition with everything that it includes. */
export interface Definition {
  /** As written: `curl`, `curl=8.1-r0`. */
  readonly packages: readonly string[];
  /** By apk's names; empty for all. */
  readonly archs: readonly string[];
  readonly budget: number | undefined;
}

/** A lock file: exact packages with download sizes, by arch. */
export interface Lock {
  /** The definition that it was made of. */
  readonly definition: string | undefined;
  readonly packages: ReadonlyMap<string, readonly LockedPackage[]>;
}

interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** `Q1…`; `undefined` if not given, like the size. */
  readonly identity: string | undefined;
  readonly packed: number | undefined;
}

/** An empty one is none. */
const layeringSchema = z
  .object({ strategy: z.string().default(''), budget: z.int().nonnegative().default(0) })
  .transform(({ strategy, budget }) => ({ budget: strategy === '' && budget === 0 ? undefined : budget }));

const definitionSchema = z.object({
  include: z.string().optional(),
  contents: z.object({ packages: z.array(z.string()).nullish() }).nullish(),
  archs: z.array(z.string()).nullish(),
  layering: layeringSchema.nullish(),
});

const range = z.object({ range: z.string().optional() }).nullish();
const lockSchema = z.object({
  version: z.string(),
  config: z.object({ name: z.string() }).nullish(),
  contents: z.object({
    packages: z.array(
      z.object({
        name: z.string(),
        version: z.string(),
        architecture: z.string(),
        checksum: z.string().optional(),
        data: range,
      }),
    ),
  }),
});

const MAX_INCLUDES = 20;
const NEITHER = 'neither an apko definition nor a lock file';

/** `read` returns an included file by its name as written. Throws `UsageError` for any other kind of file. */
export function readImage(text: string, file: string, read: (name: string) => string): Definition | Lock {
  const value = parsed(text, file);
  const lock = lockSchema.safeParse(value);
  if (lock.success) return lockOf(lock.data);
  const definition = definitionOf(value, file, read, []);
  if (definition.packages.length === 0) throw new UsageError(`${file}: ${NEITHER}`);
  return definition;
}

export function isLock(image: Definition | Lock): image is Lock {
  return 'definition' in image;
}

/** As apko merges: packages of the base come first; archs and layering of the child win. */
function definitionOf(
  value: unknown,
  file: string,
  read: (name: string) => string,
  includedBy: readonly string[],
): Definition {
  const result = definitionSchema.safeParse(value);
  if (!result.success) throw new UsageError(`${file}: ${NEITHER}`);
  const { include, contents, archs, layering } = result.data;
  const files = [...includedBy, file];
  if (files.length > MAX_INCLUDES) throw new UsageError(`${file}: more than ${MAX_INCLUDES} includes`);
  const base =
    include === undefined ? undefined : definitionOf(parsed(read(include), include), include, read, files);
  return {
    packages: [...(base?.packages ?? []), ...(contents?.packages ?? []).flatMap(wordsOf)],
    archs: archs?.length ? archs.map(archOfDefinition) : (base?.archs ?? []),
    budget: layering ? layering.budget : base?.budget,
  };
}

/** apko splits a string at blanks: `foo>=1 foo<2`. */
function wordsOf(text: string): readonly string[] {
  return text.match(/[^ \t\r\n]+/g) ?? [];
}

function parsed(text: string, file: string): unknown {
  try {
    return parse(text, { logLevel: 'error' });
  } catch (cause) {
    throw new UsageError(`${file}: not YAML`, { cause });
  }
}

function lockOf({ config, contents }: z.output<typeof lockSchema>): Lock {
  const byArch = Map.groupBy(contents.packages, ({ architecture }) => architecture);
  const packages = [...byArch].map(([arch, all]) => {
    const own = all.map(({ name, version, checksum: identity, data }) => ({
      name,
      version,
      identity,
      packed: endOf(data?.range),
    }));
    return [archOfDefinition(arch), own] as const;
  });
  return { definition: config?.name, packages: new Map(packages) };
}

/** `bytes=1234-56789`: the data comes last in a package. */
function endOf(range: string | undefined): number | undefined {
  const [, end] = /^bytes=\d+-(\d+)$/.exec(range ?? '') ?? [];
  return end === undefined ? undefined : Number(end) + 1;
}
