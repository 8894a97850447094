/** The configuration file: what it may say, and the defaults of what it does not. */
import * as z from 'zod';

// A configuration is checked once; compiling the checks takes longer than that.
z.config({ jitless: true });
import { withoutTrailingSlashes } from './addresses.ts';

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

/** `15m` → milliseconds. */
const duration = z.string().transform((text, context) => {
  const match = /^(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
  if (match) return Number(match[1]) * (units[match[2] as string] as number);
  context.addIssue({ code: 'custom', message: 'expected a duration such as 30s, 15m, 6h or 7d' });
  return z.NEVER;
});

/** What a timer can wait, about 24 days; it would take a longer time for none at all. */
const wait = duration.refine((time) => time < 2 ** 31, 'expected at most 24d');
const someWait = wait.refine((time) => time > 0, 'expected more than 0');

/** `300MiB` → bytes. */
const size = z.string().transform((text, context) => {
  const match = /^(\d{1,9})(B|kB|MB|GB|KiB|MiB|GiB)$/.exec(text);
  if (match) return Number(match[1]) * (sizes[match[2] as string] as number);
  context.addIssue({ code: 'custom', message: 'expected a size such as 64MB or 300MiB' });
  return z.NEVER;
});

/** `50%` or `0.5` → 0.5. */
const share = z.union([z.number(), z.string()]).transform((value, context) => {
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
const listen = z.string().transform((text, context): Listen => {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]*):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match && port <= 65_535) return { host: match[1]?.replace(/[[\]]/g, '') || '0.0.0.0', port };
  context.addIssue({ code: 'custom', message: 'expected HOST:PORT such as 0.0.0.0:3000' });
  return z.NEVER;
});

/** Where a secret is, never the secret itself. */
const secret = z.union([z.strictObject({ env: z.string() }), z.strictObject({ file: z.string() })], {
  error: 'expected { env: NAME } or { file: PATH }',
});

const credentials = z.union(
  [
    z.strictObject({ basic: z.strictObject({ username: z.union([z.string(), secret]), password: secret }) }),
    z.strictObject({ bearer: secret }),
    z.strictObject({ header: z.strictObject({ name: z.string().regex(/^[A-Za-z0-9-]+$/), value: secret }) }),
  ],
  { error: 'expected { basic: { username, password } }, { bearer } or { header: { name, value } }' },
);

const arch = z.string().regex(/^[a-z0-9_]+$/, "expected apk's name of an arch, such as x86_64 or aarch64");
const archs = z.array(arch).min(1, 'expected at least one arch');

/** A path, or a URL that can be fetched. No error shows it, for it may hold a password. */
const address = z
  .string()
  .min(1, 'expected a URL or a path')
  .refine(
    (text) =>
      !/^[A-Za-z][A-Za-z0-9+.-]{0,30}:\/\//.test(text) ||
      /^(https?|file):$/.test(URL.parse(text)?.protocol ?? ''),
    'expected a path or an http, https or file URL',
  );

const repository = z.strictObject({
  url: address,
  archs: archs.optional(),
  /** Without a required index the datasource does not answer. */
  required: z.boolean().default(true),
  trust: z.enum(['signed', 'none']).default('signed'),
  keys: z.array(address).optional(),
  discoverKeys: z.boolean().default(false),
  credentials: credentials.optional(),
  clientCertificate: z.strictObject({ certificate: z.string(), key: z.string() }).optional(),
  rollback: z.enum(['refuse', 'accept']).default('refuse'),
  maxShrink: share.default(0.4),
  maxAge: z.union([z.literal('never').transform(() => undefined), duration]).prefault('30d'),
  /** A page with the recipe's history; see docs/renovate.md for its variables. */
  changelog: z.string().optional(),
});

const datasource = z.strictObject({
  default: z.boolean().default(false),
  repositories: z
    .array(z.preprocess((value) => (typeof value === 'string' ? { url: value } : value), repository))
    .min(1, 'expected at least one repository'),
  archs: archs.default(['x86_64', 'aarch64']),
  keys: z.array(address).default([]),
  unversionedProvides: z.boolean().default(false),
  /** All that its packages need is in it: what needs something else is not offered. */
  complete: z.boolean().default(false),
});

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
];

const datasourceName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'expected lower case letters, digits, ".", "_" and "-", at most 63')
  .refine((name) => !reservedNames.includes(name), `is reserved, as are ${reservedNames.join(', ')}`);

export const configSchema = z.strictObject({
  listen: listen.prefault('0.0.0.0:3000'),
  refresh: someWait.prefault('15m'),
  cacheDir: z.string().nullable().optional(),
  /** Where clients reach the service, if not where they say (`Host`): behind a proxy that rewrites it. */
  publicUrl: z
    .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
    .transform(withoutTrailingSlashes)
    .optional(),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** How long a lookup waits for a first index before it is told to come back. */
  hold: wait.prefault('45s'),
  /** How long requests are still taken after SIGTERM, while others learn that this instance is going. */
  drain: wait.prefault('1s'),
  /** What clients have to show as `Authorization: Bearer …`. */
  clientToken: secret.optional(),
  /** Signs the virtual indexes; `name` is what clients call the public key in `/etc/apk/keys`. */
  signingKey: z
    .strictObject({
      name: z.string().regex(/^[A-Za-z0-9@._-]+\.rsa\.pub$/, 'expected a key name such as beacon.rsa.pub'),
      key: secret,
    })
    .optional(),
  /** Whether a frozen index makes `/readyz` fail or only speak of it. */
  frozen: z.enum(['warn', 'fail']).default('warn'),
  /** As apk, from `NETRC` or `~/.netrc` unless told; `null` reads none. */
  netrc: z.string().nullable().optional(),
  extraCa: z.array(z.string()).default([]),
  timeouts: z
    .strictObject({
      connect: someWait.prefault('10s'),
      headers: someWait.prefault('30s'),
      bodyIdle: someWait.prefault('30s'),
      total: someWait.prefault('5m'),
    })
    .prefault({}),
  limits: z
    .strictObject({
      compressed: size.prefault('128MiB'),
      inflated: size.prefault('300MiB'),
      ratio: z.number().min(2).default(100),
      line: size.prefault('8MiB'),
      packages: z.number().int().min(1).default(5_000_000),
    })
    .prefault({}),
  datasources: z
    .record(datasourceName, datasource)
    .refine((all) => Object.keys(all).length > 0, 'expected at least one datasource')
    .refine(
      (all) => Object.values(all).filter((each) => each.default).length < 2,
      'only one can be the default',
    )
    .optional(),
});

export type ConfigFile = z.output<typeof configSchema>;
export type DatasourceConfig = z.output<typeof datasource>;
export type RepositoryConfig = z.output<typeof repository>;

/** Every key of every level, for suggestions. */
export const knownKeys: readonly string[] = [
  ...Object.keys(configSchema.shape),
  ...Object.keys(datasource.shape),
  ...Object.keys(repository.shape),
  ...['connect', 'headers', 'bodyIdle', 'total', 'compressed', 'inflated', 'ratio', 'line', 'packages'],
  ...[
    'env',
    'file',
    'basic',
    'bearer',
    'header',
    'username',
    'password',
    'name',
    'value',
    'certificate',
    'key',
  ],
];
