/** The schema of the configuration file, with defaults and descriptions. */
import * as z from 'zod';
import { withoutTrailingSlashes } from '../addresses.ts';
import { apkArchs, archByOtherName } from '../archs.ts';
import type { RepositoryCredentials } from '../repository/credentials.ts';

// A configuration is checked once; compiling the checks would take longer.
z.config({ jitless: true });

type Units = Readonly<Record<string, number>>;
const units: Units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const sizes: Units = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

const DURATION = /^(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h|d)$/;

/** `15m` → milliseconds. */
const duration = text('a duration such as 30s, 15m, 6h or 7d')
  .regex(DURATION, 'expected a duration such as 30s, 15m, 6h or 7d')
  .transform((value) => {
    const [, amount, unit = ''] = DURATION.exec(value) ?? [];
    return Number(amount) * (units[unit] ?? NaN);
  });

/** `7d` → milliseconds; `undefined` for a text that is no duration. */
export function parseDuration(text: string): number | undefined {
  return duration.safeParse(text).data;
}

/** At most what a timer can wait, about 24 days; Node fires longer timers at once. */
const wait = duration.refine((time) => time < 2 ** 31, 'expected at most 24d');
const someWait = wait.refine((time) => time > 0, 'expected more than 0');

const SIZE = /^(\d{1,12})(B|kB|MB|GB|KiB|MiB|GiB)$/;

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
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]*]*):(\d{1,5})$/.exec(value);
  const port = Number(match?.[2]);
  if (match && port <= 65_535) return { host: match[1]?.replace(/[[\]]/g, '') || '0.0.0.0', port };
  context.addIssue({ code: 'custom', message: 'expected HOST:PORT such as 0.0.0.0:3000' });
  return z.NEVER;
});

function text(expected: string): z.ZodString {
  return z.string(`expected ${expected}`);
}

const path = pathAs('a path');

/** No shell expands a path in a file or variable, so `~` would be a folder of that name. */
function pathAs(expected: string): z.ZodString {
  return text(expected)
    .min(1, `expected ${expected}`)
    .refine((value) => !/^~[\w-]*(\/|$)/.test(value), 'expected a path written out: ~ is not expanded');
}

/** `none` means `null`. */
const pathOrNone = path.nullable().transform((value) => (value === 'none' ? null : value));

/** Errors do not show it, because it may contain a password. */
const postgresUrl = text('a postgres:// URL').refine(
  isPostgresUrl,
  'expected a URL such as postgres://db.example.com/beacon',
);

export function isPostgresUrl(value: string): boolean {
  return /^postgres(ql)?:$/.test(URL.parse(value)?.protocol ?? '');
}

/** Where a secret is, never the secret itself. */
const secret = z
  .union(
    [
      z.strictObject({
        env: z
          .string()
          .min(1, 'expected the name of a variable')
          .meta({ description: 'name of an environment variable', examples: ['APKS_TOKEN'] }),
      }),
      z.strictObject({
        file: path.meta({ description: 'path of a file', examples: ['/run/secrets/token'] }),
      }),
    ],
    {
      error: ({ input }) =>
        `expected { env: NAME } or { file: PATH }${input === undefined || typeof input === 'object' ? '' : ', not a literal'}`,
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
          value: secret.describe('its value'),
        })
        .meta({ title: 'header', description: 'a header of your own' })
        .optional(),
    },
    { error: ({ code }) => (code === 'unrecognized_keys' ? undefined : credentialsForms) },
  )
  .refine((value) => Object.keys(value).length === 1, credentialsForms)
  .transform((value) => value as RepositoryCredentials)
  .meta({ title: 'credentials' });

const arch = text("apk's name of an arch").refine(
  (name) => /^[a-z0-9_][a-z0-9_-]*$/.test(name) && archByOtherName(name) === undefined && name !== 'noarch',
  {
    error: ({ input }) => {
      const name = String(input);
      const own = archByOtherName(name);
      if (own !== undefined) return `apk calls ${name} ${own}; use that name`;
      if (name === 'noarch')
        return 'packages of noarch are in the index of every arch; name one of those, such as x86_64';
      return "expected apk's name of an arch, such as x86_64 or aarch64";
    },
  },
);
export const archs = z.array(arch).min(1, 'expected at least one arch');

/** A path, or a URL that can be fetched. Errors never show it, because it may contain a password. */
export const address = pathAs('a URL or a path')
  .refine(
    (value) =>
      !/^[A-Za-z][A-Za-z0-9+.-]{0,30}:\/\//.test(value) ||
      /^(https?|file):$/.test(URL.parse(value)?.protocol ?? ''),
    'expected a path or an http, https or file URL',
  )
  .refine(
    (value) => !/^file:\/\//i.test(value) || URL.parse(value)?.hostname === '',
    'expected a file URL with three slashes and no host: file:///srv/os',
  );

/** The last segment of the path of a URL, or of a path. */
function lastSegment(value: string): string {
  return withoutTrailingSlashes(URL.parse(value)?.pathname ?? value).replace(/^.*\//, '');
}

const repositoryUrl = address.refine((value) => !apkArchs.has(lastSegment(value)), {
  error: ({ input }) => {
    const last = lastSegment(String(input));
    return `ends in an arch: write it without /${last}, and ${last} as the arch (archs, --arch)`;
  },
});

const dayOfMonth = z.int().min(1, 'expected a day from 1 to 31').max(31, 'expected a day from 1 to 31');

const repository = z
  .strictObject({
    url: repositoryUrl.meta({
      description:
        'URL or folder with `<arch>/APKINDEX.tar.gz` or `<arch>/Packages.adb`, or a single index ending in `.tar.gz` or `.adb`; instead of an object, a repository can be just this string',
      examples: [
        'https://packages.wolfi.dev/os',
        '/srv/os/x86_64/APKINDEX.tar.gz',
        'https://downloads.openwrt.org/releases/25.12.0/packages/x86_64/base/packages.adb',
      ],
    }),
    archs: archs
      .optional()
      .meta({ description: "archs of this repository; by default the datasource's", examples: [['armv7']] }),
    formerly: z
      .array(address)
      .default([])
      .meta({
        description:
          'earlier addresses of the repository, so that its ledger continues; needed for a new token in its query, too',
        examples: [['https://old.example.com/os']],
      }),
    required: z
      .boolean()
      .default(true)
      .describe('whether the datasource waits for this index before it answers'),
    trust: z
      .enum(['signed', 'none'])
      .default('signed')
      .describe('`none` accepts the index without a trusted signature'),
    keys: z
      .array(address)
      .optional()
      .meta({
        description:
          "trusted public keys, files or URLs; they replace the datasource's and the built-in ones",
        examples: [['/etc/apk/keys/private.rsa.pub']],
      }),
    discoverKeys: z.boolean().default(false).describe("find keys through Chainguard's `apk-configuration`"),
    credentials: credentials.optional().meta({
      description:
        '`{ basic: { username, password } }`, `{ bearer }` or `{ header: { name, value } }`; read again for each request',
      examples: [{ bearer: { env: 'APKS_TOKEN' } }],
    }),
    clientCertificate: z
      .strictObject({
        certificate: path.meta({ description: 'path of a PEM file', examples: ['/run/secrets/tls.crt'] }),
        key: path.meta({ description: 'path of a PEM file', examples: ['/run/secrets/tls.key'] }),
      })
      .meta({ title: 'clientCertificate' })
      .optional()
      .describe('TLS client certificate for upstream'),
    rollback: z
      .enum(['refuse', 'accept'])
      .default('refuse')
      .describe('`accept` accepts an index that is older than the last good one'),
    maxShrink: share
      .default(0.4)
      .meta({ description: 'share of names that may disappear at once', examples: ['40%', 0.4] }),
    maxAge: z
      .union(
        [z.literal('never').transform(() => undefined), duration],
        'expected a duration such as 30d, or never',
      )
      .prefault('30d')
      .meta({
        description: 'an index unchanged for longer counts as frozen; `never` for no limit',
        examples: ['30d', 'never'],
      }),
    withdrawal: z
      .union(
        [
          z.enum(['none', 'replaced']),
          z
            .strictObject({
              age: duration.meta({
                description: 'age at which a build that is not the newest of its name may be withdrawn',
                examples: ['184d'],
              }),
              days: z
                .tuple([dayOfMonth, dayOfMonth], 'expected the first and the last day, such as [13, 23]')
                .refine(([first, last]) => first <= last, 'expected the first day before the last')
                .meta({
                  description: 'first and last day of the month on which such builds are withdrawn',
                  examples: [[13, 23]],
                }),
            })
            .meta({ title: 'withdrawal' }),
        ],
        'expected none, replaced or { age, days }',
      )
      .optional()
      .meta({
        description:
          'how it withdraws versions: `replaced` (only the newest stays), `{ age, days }` (a monthly collection) or `none`; known for Wolfi and Alpine',
        examples: [{ age: '184d', days: [13, 23] }, 'replaced', 'none'],
      }),
    changelog: text('a template')
      .optional()
      .meta({
        description:
          'URL template of the page with the history of a recipe; docs/renovate.md lists its variables',
        examples: ['https://git.example.com/{origin}'],
      }),
  })
  .meta({ title: 'a repository' });

/** A string is short for a repository with only a `url`. */
const repositoryOrUrl = z.preprocess(
  (value) => (typeof value === 'string' ? { url: value } : value),
  repository,
);

const ecosystem = text('a name such as Alpine:v3.22').regex(/^[A-Za-z][A-Za-z0-9 .:-]{0,60}$/);

/** The keys that both kinds of feed have. */
const ofFeed = {
  refresh: someWait.optional().meta({
    description: 'how often to ask for a newer feed; by default `1h` for secdb, `24h` for OSV',
    examples: ['6h'],
  }),
  rollback: z
    .enum(['refuse', 'accept'])
    .default('refuse')
    .describe('`accept` accepts a feed that is older than the last good one'),
  maxShrink: share
    .default(0.4)
    .meta({ description: 'share of identifiers that may disappear at once', examples: ['40%', 0.4] }),
  credentials: credentials.optional().describe('as for a repository'),
};

const feed = z.union(
  [
    z
      .strictObject({
        secdb: address.meta({
          description: "a URL or file in the format of Alpine's secdb",
          examples: ['https://secdb.alpinelinux.org/v3.22/main.json'],
        }),
        ...ofFeed,
      })
      .meta({ title: 'a secdb feed' }),
    z
      .strictObject({
        osv: address.meta({
          description: 'a URL or file of OSV records: a `.tar.gz`, a `.zip` or JSON',
          examples: ['https://advisories.cgr.dev/chainguard/v3/osv/chainguard-osv.tar.gz'],
        }),
        ecosystem: ecosystem.optional().meta({
          description: "ecosystem of the records to use; by default from the datasource's repositories",
          examples: ['Wolfi', 'Alpine:v3.22'],
        }),
        ...ofFeed,
      })
      .meta({ title: 'an OSV feed' }),
  ],
  'expected { secdb: … } or { osv: … }',
);

const patterns = z.array(text('a pattern such as ghcr.io/acme/base/*')).default([]);

const datasource = z
  .strictObject({
    default: z
      .boolean()
      .default(false)
      .describe('also answers at `/{package}`; by default the first datasource does'),
    repositories: z
      .array(repositoryOrUrl)
      .min(1, 'expected at least one repository')
      .meta({ description: 'repositories to answer from', examples: [['https://packages.wolfi.dev/os']] }),
    archs: archs.default(['x86_64', 'aarch64']).meta({
      description: 'archs to compare: a version is offered if every arch that carries the name has it',
      examples: [['x86_64']],
    }),
    keys: z
      .array(address)
      .default([])
      .meta({
        description: "trusted public keys, files or URLs, in addition to Wolfi's and Alpine's",
        examples: [['/etc/apk/keys/private.rsa.pub']],
      }),
    unversionedProvides: z
      .boolean()
      .default(false)
      .describe("apko's looser rule: a provide without a version has the version of its package"),
    images: patterns.meta({
      description:
        'base images whose pins belong to this datasource; Alpine, Wolfi and Chainguard images are known',
      examples: [['ghcr.io/acme/base/*']],
    }),
    includes: patterns.meta({
      description: 'files; image definitions that include one of them belong to this datasource',
      examples: [['wolfi-base.yaml']],
    }),
    scripts: patterns.meta({
      description: 'shell scripts and CI files that run in images of this datasource',
      examples: [['scripts/install.sh']],
    }),
    unknown: z
      .enum(['ask', 'ignore'])
      .default('ignore')
      .describe('`ask`: pins that no file or key assigns to a datasource are looked up here'),
    complete: z
      .boolean()
      .default(false)
      .describe('the datasource has all dependencies: versions that need anything else are withheld'),
    advisories: z
      .union([z.literal('known'), z.array(feed)], 'expected known or a list of { secdb: … } and { osv: … }')
      .default([])
      .meta({
        description:
          'feeds of fixed vulnerabilities; `known` uses the public ones of Alpine, Wolfi, Chainguard and MinimOS; see docs/advisories.md',
        examples: ['known', [{ secdb: 'https://apks.example.com/security.json' }]],
      }),
  })
  .meta({ title: 'a datasource' });

const receiverUrl = text('an http or https URL')
  .refine((value) => /^https?:$/.test(URL.parse(value)?.protocol ?? ''), 'expected an http or https URL')
  .refine((value) => (URL.parse(value)?.username ?? '') === '', 'expected no user name: use credentials');

export function isReceiverUrl(value: string): boolean {
  return receiverUrl.safeParse(value).success;
}

const receiver = z
  .strictObject({
    url: z
      .union([receiverUrl, secret], 'expected an http or https URL, { env: NAME } or { file: PATH }')
      .meta({
        description:
          'URL to POST to; for GitLab that of a pipeline trigger. If the URL is itself a secret: `{ env: NAME }` or `{ file: PATH }`',
        examples: ['https://gitlab.example.com/api/v4/projects/42/trigger/pipeline'],
      }),
    datasource: text('a datasource such as wolfi or wolfi@7d')
      .optional()
      .meta({
        description:
          'datasource to watch, by default the default one; with an age (`wolfi@7d`), a release is reported when it is that old',
        examples: ['wolfi', 'wolfi@7d', 'wolfi@7d+security'],
      }),
    names: z
      .array(text('the name of a package').min(1, 'expected the name of a package'))
      .min(1, 'expected at least one name')
      .optional()
      .meta({
        description: 'names to watch; by default all names looked up in the last 90 days',
        examples: [['containerd', 'cmd:kubectl']],
      }),
    gitlab: z
      .strictObject({
        ref: text('a branch or tag')
          .min(1, 'expected a branch or tag')
          .meta({ description: 'branch or tag to run the pipeline of', examples: ['main'] }),
        token: secret.describe('the pipeline trigger token'),
      })
      .meta({ title: 'gitlab' })
      .optional()
      .describe('the URL is a GitLab pipeline trigger'),
    secret: secret
      .optional()
      .describe(
        'signs calls as in [Standard Webhooks](https://www.standardwebhooks.com): `whsec_` and base64',
      ),
    credentials: credentials.optional().describe('as for a repository'),
  })
  .meta({ title: 'a receiver' });

/** First path segments with another meaning, now or in future versions. */
const reservedNames = [
  'livez',
  'readyz',
  'healthz',
  'startupz',
  'metrics',
  'openapi.json',
  'renovate.json',
  'index.html',
  'latest',
  'explain',
  '-',
  // Files of an export.
  'manifest.json',
];

const datasourceName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'expected lower case letters, digits, ".", "_" and "-", at most 63')
  // JavaScript puts such keys before all others, so the first datasource would not be the first in the file.
  .refine((name) => !/^\d+$/.test(name), 'expected a name that is not a number')
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
      description:
        'folder for the last good indexes, by default `apk-beacon` in `XDG_CACHE_HOME` or `~/.cache`; `none` keeps nothing',
      examples: ['/var/cache/apk-beacon', 'none'],
    }),
    keepIndexes: duration
      .refine((time) => time > 0, 'expected more than 0')
      .optional()
      .meta({
        description:
          'how long the files of past indexes are kept in `cacheDir`, so that `/{datasource}@TIME/…` can be answered; by default they are not kept. An index of Wolfi has 8 MB per arch and may change with every refresh',
        examples: ['7d', '30d'],
      }),
    ledger: z
      .union([postgresUrl, secret], 'expected a postgres:// URL, { env: NAME } or { file: PATH }')
      .optional()
      .meta({
        description:
          'PostgreSQL for the ledger (when packages were first seen), which replicas can share; a URL, `{ env: NAME }` or `{ file: PATH }`. By default SQLite in `cacheDir`',
        examples: ['postgres://beacon@db.example.com/beacon'],
      }),
    publicUrl: z
      .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
      // Paths are appended, and everyone who asks gets it.
      .regex(/^[^/]*\/\/[^\s/@?#]+(\/[^\s?#]*)?$/, 'expected a URL without user, query and fragment')
      .transform(withoutTrailingSlashes)
      .optional()
      .meta({
        description:
          'URL at which Renovate and browsers reach the service; needed if a proxy rewrites `Host`. If set, merge requests link to the pages',
        examples: ['https://beacon.example.com'],
      }),
    logLevel: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
      .default('info')
      .describe('trace, debug, info, warn, error or silent'),
    logFormat: z
      .enum(['json', 'text'])
      .optional()
      .describe('json or text; by default text on a terminal and JSON elsewhere'),
    hold: wait.prefault('45s').meta({
      description: 'how long a lookup waits for the first index before it gets a 429',
      examples: ['0s', '45s'],
    }),
    securityRules: z
      .enum(['force', 'plain', 'none'])
      .default('force')
      .describe(
        "the preset's rules for security updates: `force` overrides the repository's own rules, `plain` lets later rules win, `none` omits them",
      ),
    drain: wait.prefault('1s').meta({
      description: 'how long requests are still accepted after SIGTERM',
      examples: ['5s'],
    }),
    clientToken: secret
      .optional()
      .describe(
        'token that clients send as `Authorization: Bearer …` or as a password; probes and metrics need none',
      ),
    signingKey: z
      .strictObject({
        name: text('a key name such as beacon.rsa.pub')
          .regex(/^[A-Za-z0-9@._-]+\.rsa\.pub$/, 'expected a key name such as beacon.rsa.pub')
          .meta({
            description: 'file name of the public key in `/etc/apk/keys` of clients',
            examples: ['beacon.rsa.pub'],
          }),
        key: secret.describe('the private key, PEM'),
      })
      .meta({ title: 'signingKey' })
      .optional()
      .describe('signs the virtual indexes and those of cooldown mirrors'),
    notify: z
      .record(
        z
          .string()
          .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'expected lower case letters, digits, ".", "_" and "-"'),
        receiver,
      )
      .optional()
      .meta({
        description:
          'receivers, by name, that are called when the offered versions of a watched package change; see docs/operate.md',
        examples: [
          {
            renovate: {
              url: 'https://gitlab.example.com/api/v4/projects/42/trigger/pipeline',
              gitlab: { ref: 'main', token: { env: 'TRIGGER_TOKEN' } },
            },
          },
        ],
      }),
    frozen: z
      .enum(['warn', 'fail'])
      .default('warn')
      .describe('`fail` makes `/readyz` fail for a frozen index'),
    netrc: pathOrNone.optional().meta({
      description:
        'credentials file in netrc format; by default `NETRC` or `~/.netrc`, as for apk; `none` reads none',
      examples: ['/run/secrets/netrc', 'none'],
    }),
    extraCa: z
      .array(path)
      .default([])
      .meta({
        description: 'PEM files of additional certificate authorities',
        examples: [['/etc/ssl/company.crt']],
      }),
    timeouts: z
      .strictObject({
        connect: someWait.prefault('10s').meta({ description: 'to connect', examples: ['10s'] }),
        headers: someWait
          .prefault('30s')
          .meta({ description: 'until the response begins', examples: ['30s'] }),
        bodyIdle: someWait
          .prefault('30s')
          .meta({ description: 'between two chunks of the body', examples: ['30s'] }),
        total: someWait.prefault('5m').meta({ description: 'for the whole response', examples: ['5m'] }),
      })
      .meta({ title: 'timeouts' })
      .prefault({})
      .describe('timeouts of a request to upstream'),
    limits: z
      .strictObject({
        compressed: size.prefault('128MiB').meta({ description: 'size as fetched', examples: ['128MiB'] }),
        inflated: size.prefault('300MiB').meta({ description: 'size as inflated', examples: ['300MB'] }),
        ratio: z
          .number()
          .min(2, 'expected at least 2')
          .default(100)
          .meta({
            description: 'inflated size divided by compressed size, checked beyond 16 MiB',
            examples: [100],
          }),
        line: size.prefault('2MiB').meta({ description: 'size of one line', examples: ['2MiB'] }),
        packages: z
          .number()
          .int()
          .min(1, 'expected at least 1')
          .default(5_000_000)
          .meta({ description: 'number of packages', examples: [5_000_000] }),
      })
      .meta({ title: 'limits' })
      .prefault({})
      .describe('an index that exceeds one of them is refused'),
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
        description: 'datasources by name; by default public Wolfi',
        examples: [{ wolfi: { repositories: ['https://packages.wolfi.dev/os'] } }],
      }),
  })
  .meta({ title: 'the top level' });

export type ConfigFile = z.output<typeof configSchema>;
export type DatasourceConfig = z.output<typeof datasource>;
export type RepositoryConfig = z.output<typeof repository>;
export type FeedConfig = z.output<typeof feed>;
export type ReceiverConfig = z.output<typeof receiver>;

export { datasource as datasourceSchema, datasourceName, repositoryOrUrl, repositoryUrl };
