/** `explain`: why a version is or is not offered. Loads the indexes, or asks a running service. */
import { styleText } from 'node:util';
import { operatorSpan } from '../apk/constraint.ts';
import { describe } from '../answers/describe.ts';
import { explain, type Explanation } from '../answers/explain.ts';
import { parseLookupQuery } from '../answers/query.ts';
import { CloseNames } from '../answers/close-names.ts';
import { explainAdvisoriesInSteps } from '../answers/security.ts';
import { finish } from '../catalog/steps.ts';
import type { Config } from '../config/config.ts';
import { printableJson, UsageError } from '../errors.ts';
import type { LiveDatasource } from '../repository/live-datasource.ts';
import { askService, serviceUrl } from './service-client.ts';
import { Beacon, snapshotOf } from '../service/beacon.ts';
import { commandLogger } from '../service/logger.ts';

export interface ExplainOptions {
  readonly json: boolean;
  /** Every version, not only the newest. */
  readonly all: boolean;
  /** The address of a running service to ask instead of loading indexes. */
  readonly url: string | undefined;
  readonly signal: AbortSignal;
}

interface Asked {
  /** With the datasource, if given: `wolfi/curl`. */
  readonly name: string;
  readonly pin: string | undefined;
}

export async function explainCommand(
  words: readonly string[],
  config: () => Config,
  options: ExplainOptions,
): Promise<number> {
  const [word, ...more] = words;
  if (word === undefined || more.length > 0)
    throw new UsageError('usage: explain NAME[=PIN]; quote it if it contains blanks, < or >');
  const asked = parseAsked(word);
  const { explanation, close } =
    options.url === undefined
      ? await explainHere(asked, config(), options.signal)
      : await explainThere(asked, options.url, config(), options.signal);
  const text = options.json
    ? printableJson(explanation, 2)
    : finish(describe(explanation, close, { all: options.all, colour: coloured })).join('\n');
  process.stdout.write(`${text}\n`);
  return explanation.versions.length === 0 ? 1 : 0;
}

interface Explained {
  readonly explanation: Explanation;
  readonly close: readonly string[];
}

async function explainHere(asked: Asked, config: Config, signal: AbortSignal): Promise<Explained> {
  const { datasource, name } = datasourceOf(asked.name, config);
  const logger = await commandLogger('warn');
  const beacon = new Beacon({ config, logger, now: Date.now });
  await beacon.loadOnce(signal);
  const live = beacon.datasources.find((each) => each.name === datasource) as LiveDatasource;
  const { catalog, advisories: known } = snapshotOf(live);
  const query = parseLookupQuery({ current: asked.pin }, live.archs);
  const report = catalog.report(name);
  const advisories = finish(explainAdvisoriesInSteps(known, report, query));
  const explanation = { ...explain(report, query, asked.pin, catalog), ...(advisories && { advisories }) };
  const close =
    explanation.versions.length === 0 ? finish(finish(CloseNames.of(catalog.names())).to(name)) : [];
  return { explanation, close };
}

/** Sends the `clientToken` of the local configuration, if there is one. */
async function explainThere(
  { name, pin }: Asked,
  base: string,
  config: Config,
  signal: AbortSignal,
): Promise<Explained> {
  const url = new URL(`${serviceUrl(base)}/${pathOf(name)}/explain`);
  if (pin !== undefined) url.searchParams.set('current', pin);
  const text = await askService(url, { accept: 'application/json' }, config, signal);
  return { explanation: JSON.parse(text) as Explanation, close: [] };
}

/** `wolfi/so:libc.so.6` → datasource and name. A name that starts with a slash (`/bin/sh`) has no datasource. */
function pathOf(name: string): string {
  const slash = name.indexOf('/');
  if (slash <= 0) return encodeURIComponent(name);
  return `${encodeURIComponent(name.slice(0, slash))}/${encodeURIComponent(name.slice(slash + 1))}`;
}

/**
 * `NAME`, or a name with a pin as in an apk world file: `NAME=1.0-r0`, `NAME~1.0`, `NAME>=2 <3`. The tag of `NAME@edge` is
 * ignored.
 */
function parseAsked(word: string): Asked {
  const { start, end } = operatorSpan(word);
  const name = (start === 0 ? word : word.slice(0, start)).replace(/(?<=.)@[^@/]*$/, '');
  if (start === end || start === 0) return { name, pin: undefined };
  const isExact = /^=+$/.test(word.slice(start, end));
  return { name, pin: word.slice(isExact ? end : start).trim() };
}

function datasourceOf(name: string, config: Config): { datasource: string; name: string } {
  const slash = name.indexOf('/');
  const [, viewed] = /^([^/@]+)@[^/]*\//.exec(name) ?? [];
  if (viewed !== undefined && Object.hasOwn(config.datasources, viewed))
    throw new UsageError(`${name.slice(0, slash)} needs --url: only a running service has ages and times`);
  if (slash <= 0 || !Object.hasOwn(config.datasources, name.slice(0, slash)))
    return { datasource: config.defaultDatasource, name };
  return { datasource: name.slice(0, slash), name: name.slice(slash + 1) };
}

/** Only on a terminal, and not with NO_COLOR. */
function coloured(colour: 'green' | 'yellow' | 'red', text: string): string {
  return styleText(colour, text, { stream: process.stdout });
}
