/** The receivers of a configuration, each with its notifier. */
import type { FastifyBaseLogger } from 'fastify';
import { parseWhen } from '../catalog/age.ts';
import type { Config, ReceiverConfig } from '../config/config.ts';
import { isReceiverUrl } from '../config/schema.ts';
import { IndexError, UsageError } from '../errors.ts';
import type { LookupLog } from '../metrics/lookup-log.ts';
import { Notifier, type NotifierServices, type Receiver } from '../notify-delivery/notifier.ts';
import { background, createPause } from '../repository/pace.ts';
import { readSecret, resolveCredentials } from '../repository/credentials.ts';
import type { Beacon } from './beacon.ts';

/** Milliseconds for a call. */
const CALL_TOTAL = 60_000;

interface NotifyServices {
  readonly config: Config;
  readonly logger: FastifyBaseLogger;
  readonly now: () => number;
  readonly beacon: Beacon;
  readonly asked: LookupLog;
}

/** Throws `config-invalid` for an unknown datasource, and if there is nowhere to store pending events. */
export function createNotifiers({ config, logger, now, beacon, asked }: NotifyServices): readonly Notifier[] {
  const receivers = Object.entries(config.notify ?? {});
  if (receivers.length === 0) return [];
  if (config.cacheDir === undefined && config.ledger === undefined)
    throw new UsageError('notify: needs a cacheDir or a ledger to store pending events');
  const services: NotifierServices = {
    database: () => beacon.ledger.database() as NonNullable<ReturnType<typeof beacon.ledger.database>>,
    client: beacon.client({ total: CALL_TOTAL }),
    asked: (live) => asked.list(live),
    now,
    pause: createPause(background),
    log: logger,
  };
  const notifiers = receivers.map(
    ([name, receiver]) => new Notifier(receiverOf(name, receiver, config, beacon), services),
  );
  beacon.onRefresh((datasource, _index, { status }) => {
    if (status === 'failed') return;
    for (const notifier of notifiers) if (notifier.live.name === datasource) notifier.wake();
  });
  return notifiers;
}

function receiverOf(
  name: string,
  { url, datasource, names, gitlab, secret, credentials }: ReceiverConfig,
  { defaultDatasource, environment }: Config,
  { datasources }: Beacon,
): Receiver {
  const [source = '', ageText] = (datasource ?? defaultDatasource).split('@', 2);
  const refuse = (fact: string): UsageError => new UsageError(`notify.${name}.datasource: ${fact}`);
  const live = datasources.find((each) => each.name === source);
  if (!live) {
    const known = datasources.map((each) => each.name).join(', ');
    throw refuse(`no datasource ${source}, expected one of ${known}`);
  }
  const when = ageText === undefined ? undefined : parseWhen(ageText);
  if (when && 'fact' in when) throw refuse(when.fact);
  if (when && 'at' in when) throw refuse('expected an age such as wolfi@7d: the past does not change');
  const age = when?.age;
  return {
    name,
    live,
    age,
    names: names && [...new Set(names)],
    address: async () => ({
      url: parseUrl(typeof url === 'string' ? url : await readSecret(url, environment)),
      form: {
        secret: secret && (await readSecret(secret, environment)),
        gitlab: gitlab && { ref: gitlab.ref, token: await readSecret(gitlab.token, environment) },
      },
      credential: credentials && (await resolveCredentials(credentials, environment)),
    }),
  };
}

function parseUrl(text: string): URL {
  if (isReceiverUrl(text)) return new URL(text);
  throw new IndexError('config-invalid', 'the url of the receiver is not an http or https URL');
}
