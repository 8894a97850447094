/** `explain`: "why was this not bumped?", in one command. */
import { explain, type Explanation, type ExplainedVersion } from '../answers/explain.ts';
import { parseLookupQuery } from '../answers/query.ts';
import { CloseNames } from '../answers/close-names.ts';
import type { Config } from '../config/config.ts';
import { IndexError, printable, printableJson } from '../errors.ts';
import { Beacon } from '../service/beacon.ts';
import { createLogger } from '../service/logger.ts';

export async function explainCommand(
  words: readonly string[],
  config: Config,
  { json, signal }: { json: boolean; signal: AbortSignal },
): Promise<number> {
  const [asked, ...more] = words;
  if (asked === undefined || more.length > 0)
    throw new IndexError('config-invalid', 'usage: explain NAME[=PIN]');
  const { datasource, name, pin } = parseAsked(asked, config);
  const logger = await createLogger('warn', { terminal: process.stderr.isTTY, destination: 2 });
  const beacon = new Beacon({ config, logger, now: Date.now });
  await beacon.loadOnce(signal);
  const live = beacon.datasources.find((each) => each.name === datasource);
  if (!live?.snapshot) throw new IndexError('fetch-failed', `${datasource} could not be loaded`);
  const { catalog } = live.snapshot;
  const query = parseLookupQuery({ current: pin }, live.archs);
  const explanation = explain(catalog.report(name), query, pin);
  if (json)
    process.stdout.write(`${printableJson(explanation, 2)}
`);
  else process.stdout.write(describe(explanation, new CloseNames(catalog.names()).to(name)));
  return explanation.versions.length === 0 ? 1 : 0;
}

/** `NAME`, `NAME=PIN`, or with the datasource in front: `wolfi/NAME=PIN`. */
function parseAsked(
  asked: string,
  config: Config,
): { datasource: string; name: string; pin: string | undefined } {
  const equals = asked.indexOf('=', 1);
  const whole = equals < 0 ? asked : asked.slice(0, equals);
  const pin = equals < 0 ? undefined : asked.slice(equals + 1);
  const slash = whole.indexOf('/');
  const named = slash > 0 && Object.hasOwn(config.datasources, whole.slice(0, slash));
  if (!named) return { datasource: config.defaultDatasource, name: whole, pin };
  return { datasource: whole.slice(0, slash), name: whole.slice(slash + 1), pin };
}

function describe({ name, archs, carriedBy, versions, pin }: Explanation, close: readonly string[]): string {
  const lines = [`${name} on ${archs.join(', ')}`];
  if (versions.length === 0) {
    lines.push(`  no index knows it${close.length > 0 ? `; did you mean ${close.join(', ')}?` : ''}`);
    return linesOf(lines);
  }
  if (carriedBy.length < archs.length) lines.push(`  carried by ${carriedBy.join(', ') || 'none'}`);
  if (pin) {
    const way = pin.proposal === undefined ? 'no update' : `propose ${pin.proposal}`;
    lines.push(`  pin ${pin.current} (${pin.state}): ${way}, because ${pin.because}`);
  }
  const width = Math.max(...versions.map(({ version }) => version.length));
  for (const version of versions) lines.push(...describeVersion(version, width));
  return linesOf(lines);
}

/** Names, versions and reasons are an index's: what would control a terminal is escaped. */
function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${printable(line)}\n`).join('');
}

function describeVersion(each: ExplainedVersion, width: number): readonly string[] {
  const mark = each.offered ? '+' : '-';
  const when = each.releaseTimestamp?.slice(0, 10) ?? 'no date   ';
  const by = [...new Set(each.candidates.filter((one) => one.provided).map((one) => one.package))];
  const notes = [
    ...(each.preRelease ? ['pre-release'] : []),
    ...(by.length > 0 ? [`provided by ${by.slice(0, 3).join(', ')}${by.length > 3 ? ', …' : ''}`] : []),
  ];
  const note = notes.length > 0 ? `  (${notes.join('; ')})` : '';
  const head = `  ${mark} ${each.version.padEnd(width)}  ${when}${note}`;
  return [head, ...(each.reasons ?? []).map((reason) => `      withheld: ${reason}`)];
}
