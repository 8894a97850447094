/**
 * The schemas of JSON bodies, for `/openapi.json`. The types of what is rendered stand where it is rendered; the compiler
 * finds a field that only one side has. All tests of the service check its answers against these schemas
 * (`test/support/contract.ts`).
 */
import * as z from 'zod';
import type { ExplainedPin } from '../answers/explain-pin.ts';
import type {
  ExplainedCandidate,
  ExplainedVersion,
  Explanation,
  YoungerVersion,
} from '../answers/explain.ts';
import type { RenovateRelease } from '../answers/render.ts';
import type { SearchHit } from '../answers/search.ts';
import type { AdvisoryEntry, ExplainedAdvisories } from '../answers/security.ts';
import type { Withdrawal } from '../catalog/withdrawal.ts';
import { checkRequestSchema } from '../check/protocol.ts';
import { steps, type Judgment, type Problem as ProblemOfPin } from '../check/judgment.ts';
import { rules } from '../check/rules.ts';
import type { Change } from '../ledger/changes.ts';
import type { Preset } from '../renovate/preset.ts';
import type { FeedStatus, HeldBackStatus, IndexStatus } from './status.ts';

/** A schema for each field of a type, optional if the field is. */
type Fields<T> = {
  readonly [K in keyof T]-?: undefined extends T[K]
    ? z.ZodOptional<z.ZodType<Exclude<T[K], undefined>>>
    : z.ZodType<T[K]>;
};

/** An object with these fields and no others. */
function objectOf<T>(fields: Fields<T>): z.ZodType<T> {
  return z.strictObject(fields) as unknown as z.ZodType<T>;
}

/** All members of a union, each with its meaning. */
function oneOf<T extends string>(meanings: Readonly<Record<T, string>>) {
  const entries = Object.entries<string>(meanings);
  const texts = entries.map(([word, meaning]) => `\`${word}\`: ${meaning}`);
  return z.enum(Object.keys(meanings) as T[]).describe(texts.join('; '));
}

const text = z.string();
const texts = z.array(text);
const flag = z.boolean();
const count = z.int().nonnegative();
const time = text.meta({ format: 'date-time', examples: ['2026-07-24T06:00:00.000Z'] });
const version = text.meta({ examples: ['8.20.0-r1'] });
const archs = texts.meta({ examples: [['x86_64', 'aarch64']] });
const generation = text.describe('changes with any index or feed; the same for replicas with the same');

const problem = z
  .strictObject({
    error: text.describe('the reason, for people'),
    datasource: text.optional().describe('the datasource that was searched'),
    archs: archs.optional().describe('404 of a lookup: the archs on which no package has the name'),
    closeNames: texts.optional().describe('404 of a lookup: at most three similar names, the closest first'),
    missing: z
      .array(
        z.strictObject({
          index: text.describe('the address of an index or a feed'),
          error: text.optional().describe('why it could not be loaded; absent before the first attempt ends'),
        }),
      )
      .optional()
      .describe('429 of a datasource that is not loaded yet: what it waits for'),
  })
  .describe('Why there is no other answer');

const release = objectOf<RenovateRelease>({
  version,
  releaseTimestamp: time
    .optional()
    .describe('when it was released: first seen, or built where no ledger is kept; absent if unknown'),
  isStable: z.literal(false).optional().describe('false for a pre-release; otherwise absent'),
  isDeprecated: z.literal(true).optional().describe('withdrawn: the pin, or one that was served before'),
  revision: count.optional().describe('N of `-rN`'),
  digest: text.optional().describe('with `strip=revision`: the revision as text'),
});

const releases = z
  .strictObject({
    releases: z.array(release).describe('oldest first'),
    homepage: text
      .optional()
      .describe('web address as the package has it; a page of the service if there are no releases'),
    sourceUrl: text.optional().describe('the homepage, if it is at GitHub or GitLab'),
    changelogUrl: text.optional().describe('URL of the history of the recipe, with marks for the preset'),
    heldBack: text.optional().describe('with an age: why there is no release'),
    noOpinion: text.optional().describe('of `/-/for/`: why no datasource was asked'),
  })
  .describe('The releases that a pin may name, in the format of Renovate’s custom datasource');

const withdrawal = objectOf<Withdrawal>({
  expectedOn: text
    .meta({ format: 'date' })
    .optional()
    .describe('the first possible day (UTC); absent if it depends on the next version'),
  rule: oneOf<Withdrawal['rule']>({
    'old-build': 'as old as the rule of the repository says, and not the newest of its name',
    'old-build-of-kept-name': 'the same, but even older builds of this name survived a collection',
    'ended-series': 'old and the newest of its name, but a newer series was built since',
    'kept-before': 'overdue, but survived a collection',
    replaced: 'only the newest version stays',
  }),
  likelihood: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('the share of such builds that were withdrawn; absent if not measured'),
}).describe('When the version is expected to be withdrawn, and by which rule');

const candidate = objectOf<ExplainedCandidate>({
  arch: text,
  repository: text.describe('its address'),
  package: text.describe('name-version of the package'),
  builtAt: time.optional(),
  releasedAt: time.optional().describe('if that differs from the build time'),
  republishedFrom: text
    .optional()
    .describe('identity of another package that had this name and version before'),
  provided: z.literal(true).optional().describe('the package only provides the name'),
  state: oneOf<ExplainedCandidate['state']>({
    chosen: 'apk installs it',
    duplicate: 'apk installs another package',
    'dependency-unmet': 'a dependency cannot be installed',
    'invalid-version': 'apk calls the version invalid',
    'unversioned-provide': 'the name is provided without a version',
    'conflicting-provides': 'the package has a name twice',
    'foreign-arch': 'the package is for another arch',
    'unknown-field': 'the package has a field that apk refuses',
    'broken-dependency': 'the package has a dependency that apk 3 cannot read',
  }),
  detail: text.optional().describe('the reason in words'),
});

const explainedVersion = objectOf<ExplainedVersion>({
  version,
  offered: flag.describe('whether a lookup lists it'),
  releaseTimestamp: time.optional(),
  preRelease: z.literal(true).optional(),
  reasons: texts.optional().describe('why it is not offered'),
  needsElsewhere: texts.optional().describe('dependencies that nothing in the datasource meets'),
  refusedByApko: text
    .optional()
    .describe('why apko refuses it in a build for all archs, although each arch can install it'),
  withdrawal: withdrawal.optional(),
  candidates: z.array(candidate).describe('packages with this name and version, on all archs'),
});

const explanation = objectOf<Explanation>({
  name: text,
  archs: archs.describe('the archs that were asked for'),
  carriedBy: archs.describe('the archs that have the name'),
  versions: z.array(explainedVersion).describe('newest first; empty if no index has the name'),
  notes: texts.optional().describe('facts beyond the versions, such as newer series'),
  younger: z
    .array(
      objectOf<YoungerVersion>({
        version,
        releasedAt: time.optional().describe('absent if unknown'),
        visibleFrom: time
          .optional()
          .describe('when it is old enough itself; an exact dependency may be younger'),
      }),
    )
    .optional()
    .describe('with an age: the versions that it holds back, the next one first'),
  pin: objectOf<ExplainedPin>({
    current: text.describe('as given'),
    state: oneOf<ExplainedPin['state']>({
      offered: 'a lookup lists it',
      'other-line': 'offered, but not in the line that was asked for',
      withheld: 'in an index, but not offered',
      gone: 'in no index',
      invalid: 'neither a version nor a constraint',
    }),
    proposal: text.optional().describe('the target of an update or rollback; absent if there is none'),
    because: text,
  }).optional(),
  advisories: objectOf<ExplainedAdvisories>({
    at: version.describe('the version that the pin stands for'),
    open: count.describe('vulnerabilities known there'),
    unreviewed: count.describe('hits of scanners that nobody has reviewed; not in `open`'),
    fixes: z
      .array(z.strictObject({ version, count: count.describe('how many it fixes'), ids: texts }))
      .describe('versions that fix something and need not wait; `ids` are the first that they fix'),
  }).optional(),
}).describe('Every version of a name, and why it is or is not offered');

const advisory = objectOf<AdvisoryEntry>({
  id: text.meta({ examples: ['CVE-2026-1234'] }),
  fixedIn: version.optional().describe('the version in which it is fixed'),
  notAffected: z.literal(true).optional().describe('reviewed: no version is affected'),
  status: texts.optional().describe('why there is no fix, as the feed states it'),
});
const advisoryList = z.array(advisory);

const advisories = z
  .strictObject({
    datasource: text,
    name: text,
    archs,
    advisories: advisoryList
      .optional()
      .describe('without `current`: all that is known of the newest version'),
    advisoriesCount: count.optional(),
    current: text.optional().describe('as given'),
    at: version.optional().describe('the version that it stands for'),
    open: advisoryList.optional().describe('what is open there'),
    openCount: count.optional(),
    unreviewed: advisoryList.optional().describe('hits of scanners that nobody has reviewed; not in `open`'),
    unreviewedCount: count.optional(),
    target: version.optional().describe('as given'),
    fixed: advisoryList.optional().describe('what an update to `target` fixes'),
    fixedCount: count.optional(),
    versions: z
      .array(
        z.strictObject({
          version,
          doesNotWait: z
            .literal(true)
            .optional()
            .describe('a view with fixes (`@7d+security`) shows it at once'),
          fixed: advisoryList,
          fixedCount: count,
        }),
      )
      .optional()
      .describe('with `current` alone: newer versions that fix something, oldest first'),
  })
  .describe('Vulnerabilities of a name. Lists are cut (1,000, per version 100); their counts are not');

const source = oneOf<NonNullable<(IndexStatus | FeedStatus)['source']>>({
  upstream: 'fetched by this process',
  cache: 'restored, not confirmed since',
});
const indexState = oneOf<IndexStatus['state']>({
  current: 'loaded',
  failing: 'loaded, but the last refresh failed',
  missing: 'not loaded yet',
  past: 'as of a past time',
});
const indexStatus = objectOf<IndexStatus>({
  repository: text,
  arch: text.optional(),
  index: text.describe('its address'),
  state: indexState,
  required: flag,
  packages: count.optional(),
  names: count.optional().describe('names of packages, each counted once'),
  verifiedBy: text.optional().describe('the key that signed it'),
  format: oneOf<NonNullable<IndexStatus['format']>>({ v2: 'APKINDEX.tar.gz', adb: 'apk 3' }).optional(),
  description: text.optional().describe('as the index states it'),
  source: source.optional(),
  confirmedAt: time.optional().describe('when the repository last had it'),
  digest: text.optional().describe('with a past time: the digest of the signed bytes'),
  age: count.optional().describe('seconds since it last changed'),
  frozen: flag.describe('whether it is older than `maxAge`'),
  skippedStanzas: count.optional().describe('packages that could not be read'),
  firstSkipped: text.optional().describe('why the first of them could not be read'),
  incompletePackages: count
    .optional()
    .describe('packages that are used without a field or dependency that could not be read'),
  buildTimes: z.literal(false).optional().describe('false if none of its packages has a build time'),
  error: text.optional().describe('why the last refresh failed'),
  errorCode: text.optional(),
  errorAt: time.optional(),
});

const feedState = oneOf<FeedStatus['state']>({
  current: 'loaded',
  failing: 'loaded, but the last refresh failed',
  missing: 'not loaded yet',
});
const feedStatus = objectOf<FeedStatus>({
  feed: text.describe('its address'),
  kind: z.enum(['secdb', 'osv']),
  state: feedState,
  packages: count.optional(),
  identifiers: count.optional().describe('pairs of package and identifier'),
  source: source.optional(),
  confirmedAt: time.optional().describe('when the server last had it'),
  age: count.optional().describe('seconds since it last changed'),
  newestRecord: text.optional().describe('the time of its newest record'),
  skippedEntries: count.optional().describe('entries that could not be read'),
  firstSkipped: text.optional().describe('why the first of them could not be read'),
  warning: text.optional().describe('a message if it is for another repository'),
  error: text.optional().describe('why the last refresh failed'),
  errorCode: text.optional(),
  errorAt: time.optional(),
});

const datasourceStatus = z
  .strictObject({
    datasource: text,
    ready: flag,
    generation: generation.optional(),
    archs,
    names: count.optional().describe('names of packages, each counted once'),
    versions: count.optional().describe('packages of all archs'),
    heldBack: objectOf<HeldBackStatus>({
      releasedAfter: time.describe('packages released later are hidden'),
      packages: count.describe('hidden packages'),
      withoutDate: count.describe('hidden packages without a date'),
      early: count.describe('younger packages that are shown as fixes or with them'),
      nextAt: time.optional().describe('when the next is old enough'),
    })
      .optional()
      .describe('with an age: what it hides'),
    since: time.optional().describe('with a past time: the last change before it'),
    ledger: z
      .strictObject({
        store: z.enum(['memory', 'sqlite', 'postgres']),
        kept: flag.describe('whether dates survive a restart'),
        shared: flag.describe('whether replicas may have the same dates'),
        error: text.optional().describe('why the last write failed'),
        clockBehind: count.optional().describe('seconds by which the clock is behind the ledger'),
        lost: count.optional().describe('indexes whose ledger was lost since the start'),
      })
      .describe('where release dates are kept'),
    indexes: z.array(indexStatus),
    advisories: z.array(feedStatus).optional(),
    notifications: z
      .array(
        z.strictObject({
          receiver: text,
          datasource: text,
          names: count.describe('watched names'),
          pending: count.describe('events that are not delivered yet'),
          oldestPending: time.optional(),
          lastDelivered: time.optional(),
          delivered: count.describe('accepted calls since the start'),
          failed: count.describe('failed calls, which are repeated'),
          givenUp: count.describe('dropped events'),
          error: text.optional().describe('why the last call or comparison failed'),
        }),
      )
      .optional(),
  })
  .describe('The state of a datasource');

const readiness = z
  .strictObject({
    ready: flag.describe('every required index and every feed was loaded, and the service is not stopping'),
    stopping: z.literal(true).optional(),
    datasources: z.record(
      text,
      z.strictObject({
        ready: flag,
        generation: generation.optional(),
        problems: z
          .array(
            z.union([
              objectOf<Pick<IndexStatus, 'index' | 'state' | 'frozen' | 'required' | 'errorCode' | 'error'>>({
                ...{ index: text, state: indexState, frozen: flag, required: flag },
                ...{ errorCode: text.optional(), error: text.optional() },
              }),
              objectOf<Pick<FeedStatus, 'feed' | 'state' | 'confirmedAt' | 'errorCode' | 'error'>>({
                ...{ feed: text, state: feedState, confirmedAt: time.optional() },
                ...{ errorCode: text.optional(), error: text.optional() },
              }),
            ]),
          )
          .describe('indexes and feeds that are missing, failing or frozen'),
      }),
    ),
  })
  .describe('Whether lookups are answered, by datasource');

const askedName = z.strictObject({
  name: text,
  count: count.describe('lookups since this process first saw the name'),
  lastAskedAt: time,
});

const bodies = {
  Problem: problem,
  Service: z.strictObject({
    service: z.literal('apk-beacon'),
    default: text.describe('the datasource of paths without one'),
    datasources: texts,
  }),
  Datasource: datasourceStatus,
  IndexStatus: indexStatus,
  FeedStatus: feedStatus,
  Releases: releases,
  Release: release,
  Explanation: explanation,
  ExplainedVersion: explainedVersion,
  Candidate: candidate,
  Withdrawal: withdrawal,
  Advisories: advisories,
  Advisory: advisory,
  SearchHits: z.strictObject({
    datasource: text,
    query: text,
    hits: z
      .array(
        objectOf<SearchHit>({
          name: text,
          provided: flag.describe('no package has the name, but others provide it'),
          match: oneOf<SearchHit['match']>({
            exact: 'the whole name',
            prefix: 'its beginning',
            substring: 'a part of it',
            typo: 'with one or two typing errors',
          }),
        }),
      )
      .describe('at most 50, best first'),
    more: flag.describe('whether there are more'),
  }),
  Asked: z.strictObject({
    datasource: text,
    unknown: z.array(askedName).describe('names that are in no index'),
    known: z.array(askedName),
    notAsked: z
      .array(
        z.strictObject({
          reason: text,
          count: count.describe('lookups'),
          lastAskedAt: time,
          names: texts.describe('at most 20 of them'),
        }),
      )
      .describe('pins that were not looked up in any datasource'),
  }),
  Changes: z.strictObject({
    datasource: text,
    package: text.optional().describe('the package that was asked for, if any'),
    since: time,
    kept: flag.describe('whether the ledger survives a restart'),
    changes: z
      .array(
        objectOf<Omit<Change, 'at'> & { readonly at: string }>({
          at: time,
          kind: oneOf<Change['kind']>({
            appeared: 'new in an index',
            vanished: 'no longer in it',
            republished: 'another package took the name and version',
          }),
          name: text,
          version,
          arch: text,
          repository: text,
          identity: text.describe('the checksum that the index has'),
          before: text.optional().describe('the identity of the package that was replaced'),
        }),
      )
      .describe('at most 1,000, newest first'),
    more: flag.describe('whether there are more since then'),
  }),
  CheckRequest: checkRequestSchema,
  CheckAnswer: z.strictObject({
    judgments: z
      .array(
        objectOf<Judgment>({
          datasource: text.optional(),
          notAsked: text.optional().describe('why no datasource is asked'),
          problems: z.array(
            objectOf<ProblemOfPin>({
              rule: z.enum(rules.map(({ id }) => id)),
              message: text,
              archs: archs.optional().describe('the archs that it concerns'),
              level: z.enum(['error', 'warning', 'note']).optional().describe("if not the rule's own"),
              since: text
                .meta({ format: 'date' })
                .optional()
                .describe('the day on which the needed version was withdrawn, if a ledger knows it'),
            }),
          ),
          target: text.optional().describe('the newest version that fits the policy, as precise as the pin'),
          heldBecause: text
            .optional()
            .describe(
              'why there is no target: it conflicts with other pins of the image, or there are no advisories',
            ),
          newest: version.optional().describe('the newest of all versions'),
          step: z.enum(steps).optional().describe('the size of the update'),
        }),
      )
      .describe('one for each pin, in their order'),
  }),
  Readiness: readiness,
  Preset: objectOf<Preset>({
    $schema: text,
    description: texts,
    customDatasources: z.record(text, z.looseObject({})),
    customManagers: z.array(z.looseObject({})),
    packageRules: z.array(z.looseObject({})),
  }).describe('A preset as Renovate reads it; `$schema` describes it'),
  OpenApi: z.looseObject({ openapi: text }).describe('An OpenAPI 3.1 document'),
};

export type BodyName = keyof typeof bodies;

/** `components/schemas` of the OpenAPI document. */
export function bodySchemas(): Readonly<Record<string, object>> {
  const registry = z.registry<{ readonly id: string }>();
  for (const [id, schema] of Object.entries(bodies)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: referenceTo });
  // Components are referred to by their place, not by an address of their own.
  for (const schema of Object.values(schemas)) {
    delete schema.$id;
    delete schema.$schema;
  }
  return schemas;
}

export function referenceTo(id: string): string {
  return `#/components/schemas/${id}`;
}
