/** The configuration file: what it may say, and the defaults of what it does not. */
import * as z from 'zod';
import { withoutTrailingSlashes } from '../addresses.ts';
import type { RepositoryCredentials } from '../repository/credentials.ts';

// A configuration is checked once; compiling the checks takes longer than that.
z.config({ jitless: true });

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const sizes: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

const DURATION = /^(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h|d)$/;

/** `15m` → milliseconds. */
const duration = text('a duration such as 30s, 15m, 6h or 7d')
  .regex(DURATION, 'expected a duration such as 30s, 15m, 6h or 7d')
  .transform((value) => {
    const [, amount, unit = ''] = DURATION.exec(value) ?? [];
    return Number(amount) * (units[unit] ?? NaN);
  });

/** What a timer can wait, about 24 days; it would take a longer time for none at all. */
const wait = duration.refine((time) => time < 2 ** 31, 'expected at most 24d');
const someWait = wait.refine((time) => time > 0, 'expected more than 0');

const SIZE = /^(\d{1,9})(B|kB|MB|GB|KiB|MiB|GiB)$/;

/** `300MiB` → bytes. */
const size = text('a size such as 64MB or 300MiB')
  .regex(SIZE, 'expected a size such as 64MB or 300MiB')
  .transform((value) => {
    const [, amount, unit = ''] = SIZE.exec(value) ?? [];
    return Number(amount) * (sizes[unit] ?? NaN);
  });

/** `50%` or `0.5` → 0.5. */
const share = z
  .union([z.number(), z.string()], 'expected a share such as 40% or 0.4')
  .transform((value, context) => {
    const match = typeof value === 'number' ? undefined : /^(\d{1,3})%$/.exec(value);
    const part = typeof value === 'number' ? value : match ? Number(match[1]) / 100 : NaN;
    if (part >= 0 && part <= 1) return part;
    context.addIssue({ code: 'custom', message: 'expected a share such as 40% or 0.4' });
    return z.NEVER;
  });

export interface Listen {
  readonly host: string;
  readonly port: number;
}

/** `0.0.0.0:3000`, `[::1]:3000`, `:3000`. */
const listen = text('HOST:PORT such as 0.0.0.0:3000').transform((value, context): Listen => {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]*):(\d{1,5})$/.exec(value);
  const port = Number(match?.[2]);
  if (match && port <= 65_535) return { host: match[1]?.replace(/[[\]]/g, '') || '0.0.0.0', port };
  context.addIssue({ code: 'custom', message: 'expected HOST:PORT such as 0.0.0.0:3000' });
  return z.NEVER;
});

function text(expected: string): z.ZodString {
  return z.string(`expected ${expected}`);
}

/** No shell has seen a path of a file or variable, so `~` would be the name of a folder. */
const path = text('a path')
  .min(1, 'expected a path')
  .refine((value) => !/^~[\w-]*(\/|$)/.test(value), 'expected a path written out: ~ is not expanded');

/** `none` is `null`, wherever it is written. */
const pathOrNone = path.nullable().transform((value) => (value === 'none' ? null : value));

/** Where a secret is, never the secret itself. */
const secret = z
  .union(
    [
      z.strictObject({
        env: z
          .string()
          .min(1)
          .meta({ description: 'name of an environment variable', examples: ['APKS_TOKEN'] }),
      }),
      z.strictObject({
        file: path.meta({ description: 'path of a file', examples: ['/run/secrets/token'] }),
      }),
    ],
    {
      error: ({ input }) =>
        `expected { env: NAME } or { file: PATH }${typeof input === 'object' ? '' : ', not a literal'}`,
    },
  )
  .meta({ title: 'a secret', examples: [{ env: 'APKS_TOKEN' }, { file: '/run/secrets/token' }] });

const credentialsForms =
  'expected { basic: { username, password } }, { bearer } or { header: { name, value } }';

const credentials = z
  .strictObject(
    {
      basic: z
        .strictObject({
          username: z
            .union([z.string(), secret], 'expected a name, { env: NAME } or { file: PATH }')
            .meta({ description: 'user name', examples: ['ci', { env: 'APKS_USER' }] }),
          password: secret.describe('password'),
        })
        .meta({ title: 'basic', description: 'HTTP Basic authentication' })
        .optional(),
      bearer: secret.describe('a token, sent as `Authorization: Bearer …`').optional(),
      header: z
        .strictObject({
          name: text('the name of a header')
            .regex(/^[A-Za-z0-9-]+$/, 'expected the name of a header')
            .meta({ description: 'name of the header', examples: ['PRIVATE-TOKEN'] }),
          value: secret.describe('what is sent as its value'),
        })
        .meta({ title: 'header', description: 'a header of your own' })
        .optional(),
    },
    { error: ({ code }) => (code === 'unrecognized_keys' ? undefined : credentialsForms) },
  )
  .refine((value) => Object.keys(value).length === 1, credentialsForms)
  .transform((value) => value as RepositoryCredentials)
  .meta({ title: 'credentials' });

/** What others call the archs of apk. */
const archAliases: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  x64: 'x86_64',
  'x86-64': 'x86_64',
  arm64: 'aarch64',
  armv8: 'aarch64',
  '386': 'x86',
  i386: 'x86',
  i586: 'x86',
  i686: 'x86',
  arm: 'armhf',
  armv6: 'armhf',
  armv7l: 'armv7',
  ppc64el: 'ppc64le',
  powerpc64le: 'ppc64le',
  loong64: 'loongarch64',
};
const apkArchs = new Set([...Object.values(archAliases), 'riscv64', 's390x', 'mips64', 'ppc64', 'armeb']);

const arch = text("apk's name of an arch").refine(
  (name) => /^[a-z0-9_]+$/.test(name) && !Object.hasOwn(archAliases, name) && name !== 'noarch',
  {
    error: ({ input }) => {
      const name = String(input);
      if (Object.hasOwn(archAliases, name))
        return `${name} is called ${archAliases[name]} by apk; write that`;
      if (name === 'noarch')
        return 'packages of noarch are in the index of every arch; write one of those, such as x86_64';
      return "expected apk's name of an arch, such as x86_64 or aarch64";
    },
  },
);
export const archs = z.array(arch).min(1, 'expected at least one arch');

/** A path, or a URL that can be fetched. No error shows it, for it may hold a password. */
export const address = path
  .min(1, 'expected a URL or a path')
  .refine(
    (value) =>
      !/^[A-Za-z][A-Za-z0-9+.-]{0,30}:\/\//.test(value) ||
      /^(https?|file):$/.test(URL.parse(value)?.protocol ?? ''),
    'expected a path or an http, https or file URL',
  );

/** The last segment of the path of a URL, or of a path. */
function lastSegment(value: string): string {
  return withoutTrailingSlashes(URL.parse(value)?.pathname ?? value).replace(/^.*\//, '');
}

const repositoryUrl = address
  .refine((value) => !apkArchs.has(lastSegment(value)), {
    error: ({ input }) => {
      const last = lastSegment(String(input));
      return `ends in an arch: write it without /${last}, and ${last} as the arch (archs, --arch)`;
    },
  })
  .refine(
    (value) => !lastSegment(value).endsWith('.adb'),
    'indexes of apk 3 (.adb) are not read: write the folder of the archs, or an address ending in APKINDEX.tar.gz',
  );

const repository = z
  .strictObject({
    url: repositoryUrl.meta({
      description:
        'a URL or folder that holds `<arch>/APKINDEX.tar.gz`, or one index ending in `.tar.gz`; a repository may be just this string',
      examples: ['https://packages.wolfi.dev/os', '/srv/os', '/srv/os/x86_64/APKINDEX.tar.gz'],
    }),
    archs: archs
      .optional()
      .meta({ description: "the datasource's archs unless given", examples: [['armv7']] }),
    formerly: z
      .array(address)
      .default([])
      .meta({
        description: 'addresses that it had before: what the ledger knows of them goes on',
        examples: [['https://old.example.com/os']],
      }),
    required: z.boolean().default(true).describe('without a required index the datasource does not answer'),
    trust: z
      .enum(['signed', 'none'])
      .default('signed')
      .describe('`none` takes the index without a trusted signature'),
    keys: z
      .array(address)
      .optional()
      .meta({
        description:
          "the keys to trust, files or URLs: only these, instead of the datasource's and the built-in ones",
        examples: [['/etc/apk/keys/private.rsa.pub']],
      }),
    discoverKeys: z.boolean().default(false).describe("finds keys by Chainguard's `apk-configuration`"),
    credentials: credentials.optional().meta({
      description:
        '`{ basic: { username, password } }`, `{ bearer }` or `{ header: { name, value } }`; read anew for each request',
      examples: [{ bearer: { env: 'APKS_TOKEN' } }],
    }),
    clientCertificate: z
      .strictObject({
        certificate: path.meta({ description: 'path of a PEM file', examples: ['/run/secrets/tls.crt'] }),
        key: path.meta({ description: 'path of a PEM file', examples: ['/run/secrets/tls.key'] }),
      })
      .meta({ title: 'clientCertificate' })
      .optional()
      .describe('shown to upstream'),
    rollback: z
      .enum(['refuse', 'accept'])
      .default('refuse')
      .describe('`accept` takes an index that is older than the last good one'),
    maxShrink: share
      .default(0.4)
      .meta({ description: 'the share of names that may be gone at once', examples: ['40%', 0.4] }),
    maxAge: z
      .union([z.literal('never').transform(() => undefined), duration])
      .prefault('30d')
      .meta({
        description: 'unchanged for longer an index counts as frozen; `never` for no such limit',
        examples: ['30d', 'never'],
      }),
    changelog: text('a template')
      .optional()
      .meta({
        description: 'a page with the history of a recipe; see docs/renovate.md for its variables',
        examples: ['https://git.example.com/{origin}'],
      }),
  })
  .meta({ title: 'a repository' });

/** A string is the `url` of a repository without other keys. */
const repositoryOrUrl = z.preprocess(
  (value) => (typeof value === 'string' ? { url: value } : value),
  repository,
);

const patterns = z.array(text('a pattern such as ghcr.io/acme/base/*')).default([]);

const datasource = z
  .strictObject({
    default: z
      .boolean()
      .default(false)
      .describe('whether it answers at `/{package}` as well; the first one otherwise'),
    repositories: z
      .array(repositoryOrUrl)
      .min(1, 'expected at least one repository')
      .meta({ description: 'what it is made of', examples: [['https://packages.wolfi.dev/os']] }),
    archs: archs.default(['x86_64', 'aarch64']).meta({
      description: 'a release is there on every arch that carries the name',
      examples: [['x86_64']],
    }),
    keys: z
      .array(address)
      .default([])
      .meta({
        description: "public keys to trust, files or URLs, besides Wolfi's and Alpine's",
        examples: [['/etc/apk/keys/private.rsa.pub']],
      }),
    unversionedProvides: z
      .boolean()
      .default(false)
      .describe("apko's looser rule: a provide without a version counts with its package's"),
    images: patterns.meta({
      description:
        'base images whose pins are of this datasource; Alpine, Wolfi and Chainguard images are known',
      examples: [['ghcr.io/acme/base/*']],
    }),
    includes: patterns.meta({
      description: 'files whose inclusion tells that an image definition is of this datasource',
      examples: [['wolfi-base.yaml']],
    }),
    scripts: patterns.meta({
      description: 'shell scripts and CI files that run in images of this datasource',
      examples: [['scripts/install.sh']],
    }),
    unknown: z
      .enum(['ask', 'ignore'])
      .default('ignore')
      .describe('`ask`: it is asked of pins of which nothing tells where they belong'),
    complete: z
      .boolean()
      .default(false)
      .describe('everything that its packages need is in it: what needs something else is not offered'),
  })
  .meta({ title: 'a datasource' });

/** First path segments that mean something else, or could one day. */
export const reservedNames = [
  'livez',
  'readyz',
  'startupz',
  'metrics',
  'renovate.json',
  'latest',
  'explain',
  '-',
  // Files of an export.
  'manifest.json',
];

const datasourceName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'expected lower case letters, digits, ".", "_" and "-", at most 63')
  .refine((name) => !reservedNames.includes(name), `is reserved, as are ${reservedNames.join(', ')}`);

export function isDatasourceName(name: string): boolean {
  return datasourceName.safeParse(name).success;
}

export const configSchema = z
  .strictObject({
    listen: listen
      .prefault('0.0.0.0:3000')
      .meta({ description: 'address to listen on', examples: ['127.0.0.1:3000', '[::1]:3000', ':3000'] }),
    refresh: someWait
      .prefault('15m')
      .meta({ description: 'how often to ask for newer indexes', examples: ['90s', '6h'] }),
    cacheDir: pathOrNone.optional().meta({
      description: 'where to keep the last good indexes; `none` for nowhere',
      examples: ['/var/cache/apk-beacon', 'none'],
    }),
    publicUrl: z
      .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
      .transform(withoutTrailingSlashes)
      .optional()
      .meta({
        description: 'where clients reach the service, if a proxy in front of it rewrites `Host`',
        examples: ['https://beacon.example.com'],
      }),
    logLevel: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
      .default('info')
      .describe('trace, debug, info, warn, error or silent'),
    logFormat: z
      .enum(['json', 'text'])
      .optional()
      .describe('json or text; text on a terminal and JSON elsewhere unless given'),
    hold: wait.prefault('45s').meta({
      description: 'how long a lookup waits for a first index before it is told to come back',
      examples: ['0s', '45s'],
    }),
    drain: wait.prefault('1s').meta({
      description: 'how long requests are still taken after SIGTERM',
      examples: ['5s'],
    }),
    clientToken: secret
      .optional()
      .describe('what clients show as `Authorization: Bearer …`; probes and metrics need none'),
    signingKey: z
      .strictObject({
        name: text('a key name such as beacon.rsa.pub')
          .regex(/^[A-Za-z0-9@._-]+\.rsa\.pub$/, 'expected a key name such as beacon.rsa.pub')
          .meta({
            description: 'what clients call the public key in `/etc/apk/keys`',
            examples: ['beacon.rsa.pub'],
          }),
        key: secret.describe('the private key, PEM'),
      })
      .meta({ title: 'signingKey' })
      .optional()
      .describe('signs the virtual indexes'),
    frozen: z
      .enum(['warn', 'fail'])
      .default('warn')
      .describe('`fail` makes `/readyz` fail for a frozen index'),
    netrc: pathOrNone.optional().meta({
      description:
        'a file of credentials, as apk reads it: `NETRC` or `~/.netrc` unless given; `none` reads none',
      examples: ['/run/secrets/netrc', 'none'],
    }),
    extraCa: z
      .array(path)
      .default([])
      .meta({
        description: 'PEM files of authorities, besides the usual ones',
        examples: [['/etc/ssl/company.crt']],
      }),
    timeouts: z
      .strictObject({
        connect: someWait
          .prefault('10s')
          .meta({ description: 'until a connection is made', examples: ['10s'] }),
        headers: someWait.prefault('30s').meta({ description: 'until an answer begins', examples: ['30s'] }),
        bodyIdle: someWait
          .prefault('30s')
          .meta({ description: 'between two parts of a body', examples: ['30s'] }),
        total: someWait.prefault('5m').meta({ description: 'for a whole answer', examples: ['5m'] }),
      })
      .meta({ title: 'timeouts' })
      .prefault({})
      .describe('of a request to an upstream'),
    limits: z
      .strictObject({
        compressed: size.prefault('128MiB').meta({ description: 'as fetched', examples: ['128MiB'] }),
        inflated: size.prefault('300MiB').meta({ description: 'as inflated', examples: ['300MB'] }),
        ratio: z
          .number()
          .min(2)
          .default(100)
          .meta({
            description: 'inflated to compressed, where that is more than 16 MiB',
            examples: [100],
          }),
        line: size.prefault('8MiB').meta({ description: 'of one line', examples: ['8MiB'] }),
        packages: z
          .number()
          .int()
          .min(1)
          .default(5_000_000)
          .meta({ description: 'packages', examples: [5_000_000] }),
      })
      .meta({ title: 'limits' })
      .prefault({})
      .describe('an index beyond them is refused'),
    datasources: z
      .record(datasourceName, datasource)
      .refine((all) => Object.keys(all).length > 0, 'expected at least one datasource')
      .refine(
        (all) => Object.values(all).filter((each) => each.default).length < 2,
        'only one can be the default',
      )
      .refine(
        (all) => Object.values(all).filter((each) => each.unknown === 'ask').length < 2,
        'only one can have unknown: ask',
      )
      .optional()
      .meta({
        description: 'what is served, by name; public Wolfi unless given',
        examples: [{ wolfi: { repositories: ['https://packages.wolfi.dev/os'] } }],
      }),
  })
  .meta({ title: 'the top level' });

export type ConfigFile = z.output<typeof configSchema>;
export type DatasourceConfig = z.output<typeof datasource>;
export type RepositoryConfig = z.output<typeof repository>;

export { datasource as datasourceSchema, datasourceName, repositoryUrl };

/** A key of the configuration. */
export interface ConfigKey {
  /** Its level: `the top level`, `a datasource`, … */
  readonly level: string;
  /** From the top, with `*` for any name and `[]` for an item of a list. */
  readonly path: readonly string[];
  readonly name: string;
  readonly schema: z.core.$ZodType;
  readonly description: string | undefined;
  /** As it is written; `undefined` where there is none. */
  readonly defaultValue: unknown;
  /** Values as they may be written. */
  readonly examples: readonly unknown[];
}

/** Every key of every level, read from the schema: for suggestions, help, documents and tests. */
export function configKeys(): readonly ConfigKey[] {
  return keysOf(configSchema, []);
}

function keysOf(
  schema: z.core.$ZodType,
  path: readonly string[],
  level = metaOf(schema).title ?? '',
): readonly ConfigKey[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodRecord) return keysOf(inner.valueType, [...path, '*']);
  if (inner instanceof z.ZodArray) return keysOf(inner.element, [...path, '[]']);
  if (inner instanceof z.ZodUnion)
    return inner.options.flatMap((option) => keysOf(option, path, metaOf(option).title ?? level));
  if (!(inner instanceof z.ZodObject)) return [];
  return Object.entries(inner.shape as z.core.$ZodShape).flatMap(([name, value]) => {
    const { description, examples } = metaOf(value);
    const own: ConfigKey = {
      level,
      path,
      name,
      schema: value,
      description,
      defaultValue: defaultOf(value),
      examples: Array.isArray(examples) ? examples : choicesOf(value),
    };
    return [own, ...keysOf(value, [...path, name])];
  });
}

/** What is said of a schema, or of what it wraps. */
function metaOf(schema: z.core.$ZodType): z.core.GlobalMeta {
  const below = wrappedBy(schema);
  return { ...(below && metaOf(below)), ...z.globalRegistry.get(schema) };
}

function defaultOf(schema: z.core.$ZodType): unknown {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return schema.def.defaultValue;
  const below = wrappedBy(schema);
  return below && defaultOf(below);
}

/** The words or values that it may be, where they are a few. */
export function choicesOf(schema: z.core.$ZodType): readonly unknown[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodEnum) return inner.options;
  return inner instanceof z.ZodBoolean ? [true, false] : [];
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const below = wrappedBy(schema);
  return below ? unwrap(below) : schema;
}

/** The schema that `schema` adds a default or a transformation to. */
function wrappedBy(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodPipe) return schema.in instanceof z.ZodTransform ? schema.out : schema.in;
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  )
    return schema.unwrap();
  return undefined;
}

/** JSON Schema (draft 7) of the file as it is written, for editors. What refinements say is not in it. */
export function configJsonSchema(): object {
  return z.toJSONSchema(configSchema, {
    io: 'input',
    target: 'draft-7',
    override: ({ zodSchema, jsonSchema }) => {
      if ((zodSchema as z.core.$ZodType) !== repositoryOrUrl) return;
      const asObject = { ...jsonSchema };
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
      jsonSchema.anyOf = [{ type: 'string', description: 'the url of a repository' }, asObject];
    },
  });
}
