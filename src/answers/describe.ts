/** An explanation as text, for a terminal and for curl. */
import { counted, printable } from '../errors.ts';
import { eachInSteps, filterInSteps } from '../catalog/steps.ts';
import type { ExplainedAdvisories } from './security.ts';
import type { ExplainedVersion, Explanation } from './explain.ts';
import type { ExplainedPin } from './explain-pin.ts';
import { withdrawalText } from './withdrawal-text.ts';

/** Versions shown by default. */
const NEWEST = 10;

type Colouring = (colour: 'green' | 'yellow' | 'red', text: string) => string;

interface DescribeOptions {
  /** Every version, not only the newest. */
  readonly all?: boolean;
  /** The option that shows all versions. */
  readonly allBy?: string;
  /** Colours the verdict; by default plain text. */
  readonly colour?: Colouring;
}

const plain: Colouring = (_, text) => text;

/** Oldest first, so that the newest versions and the verdict are at the end of a terminal. */
export function* describe(
  { name, archs, carriedBy, versions, notes = [], younger, pin, advisories }: Explanation,
  close: readonly string[],
  { all = false, allBy = '--all', colour = plain }: DescribeOptions = {},
): Generator<undefined, readonly string[]> {
  const head = [`${name} on ${archs.join(', ')}`];
  if (versions.length === 0) {
    const hint = close.length > 0 ? `; did you mean ${close.join(', ')}?` : '';
    const fact = younger ? 'no version is old enough' : `no index knows it${hint}`;
    return [...head, `  ${fact}`, ...notes.map((note) => `  ${note}`)].map(printable);
  }
  if (carriedBy.length < archs.length) head.push(`  carried by ${carriedBy.join(', ') || 'none'}`);
  const shown = all
    ? versions
    : yield* filterInSteps(versions, ({ version }, i) => i < NEWEST || version === pin?.current);
  const hidden = versions.length - shown.length;
  if (hidden > 0) head.push(`  ${counted(hidden, 'older version')}, shown by ${allBy}`);
  let width = 0;
  yield* eachInSteps(shown, ({ version }) => {
    width = Math.max(width, version.length);
  });
  const lines = head.map(printable);
  yield* eachInSteps(shown.toReversed(), (each) => {
    for (const line of describeVersion(each, width)) lines.push(printable(line));
  });
  for (const note of notes) lines.push(printable(`  note: ${note}`));
  if (advisories) lines.push(...describeAdvisories(advisories).map(printable));
  if (pin) lines.push(verdict(pin, colour));
  return lines;
}

/** What is open at the pin, and the versions that fix most of it. */
export function describeAdvisories({ at, open, unreviewed, fixes }: ExplainedAdvisories): readonly string[] {
  const hits = unreviewed === 0 ? '' : `, and ${unreviewed} unreviewed scanner results`;
  return [
    `  advisories: ${open} known to be open at ${at}${hits}`,
    ...fixes.map(({ version, count, ids }) => {
      const more = count > ids.length ? ` and ${count - ids.length} more` : '';
      return `  ${version} fixes ${ids.join(', ')}${more}`;
    }),
  ];
}

function verdict({ current, state, proposal, because }: ExplainedPin, colour: Colouring): string {
  const way = proposal === undefined ? 'no update' : `propose ${proposal}`;
  const text = printable(`  pin ${current} (${state}): ${way}, because ${because}`);
  return colour(proposal === undefined ? (state === 'offered' ? 'green' : 'red') : 'yellow', text);
}

function describeVersion(each: ExplainedVersion, width: number): readonly string[] {
  const when = each.releaseTimestamp?.slice(0, 10) ?? 'no date   ';
  const by = [...new Set(each.candidates.filter((one) => one.provided).map((one) => one.package))];
  const notes = [
    ...(each.preRelease ? ['pre-release'] : []),
    ...(by.length > 0 ? [`provided by ${by.slice(0, 3).join(', ')}${by.length > 3 ? ', …' : ''}`] : []),
    ...(each.withdrawal ? [withdrawalText(each.withdrawal)] : []),
  ];
  const republished = each.candidates.filter((one) => one.republishedFrom !== undefined);
  const note = notes.length > 0 ? `  (${notes.join('; ')})` : '';
  const needs = each.needsElsewhere ?? [];
  return [
    `  ${each.offered ? '+' : '-'} ${each.version.padEnd(width)}  ${when}${note}`,
    ...(each.reasons ?? []).map((reason) => `      withheld: ${reason}`),
    ...republished.map((one) => `      ${one.package} on ${one.arch} was republished as another package`),
    ...(needs.length > 0
      ? [`      not met in this datasource: ${needs.slice(0, 5).join(', ')}${needs.length > 5 ? ', …' : ''}`]
      : []),
    ...(each.refusedByApko === undefined
      ? []
      : [`      apko refuses it for all archs: ${each.refusedByApko}`]),
  ];
}
