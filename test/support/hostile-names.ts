/**
 * Names of an index that is crafted to keep a service busy, and all ways to ask for them. The service may answer them
 * slowly, but must not block other requests, and no answer may take quadratic work.
 */
import type { Stanza } from './signed-index.ts';

export interface HostileName {
  readonly name: string;
  readonly what: string;
  /** What makes up the name on an arch; `size` is one for the full size, less for a quicker test. */
  readonly stanzas: (arch: string, size: number) => readonly Stanza[];
}

const upTo = (count: number): readonly number[] => Array.from({ length: Math.round(count) }, (_, i) => i);
/** Neither rising nor falling. */
const shuffled = (count: number): readonly number[] => {
  const numbers = upTo(count);
  return numbers.map((i) => (i * 7919) % numbers.length);
};

/** `12.34-r0`, and every third one a release candidate. */
const versionOf = (i: number): string => `${Math.floor(i / 100)}.${i % 100}${i % 3 === 0 ? '_rc1' : ''}-r0`;
const built = (i: number): string => String(1_700_000_000 + i);

export const hostileNames: readonly HostileName[] = [
  {
    name: 'crowd-of-versions',
    what: '200,000 versions, more than are compared',
    stanzas: (_, size) =>
      shuffled(200_000 * size).map((i) => ({ P: 'crowd-of-versions', V: versionOf(i), t: built(i) })),
  },
  {
    name: 'versions',
    what: '20,000 versions, as many as are compared',
    stanzas: (_, size) =>
      shuffled(20_000 * size).map((i) => ({ P: 'versions', V: versionOf(i), t: built(i) })),
  },
  {
    name: 'candidates-only',
    what: '20,000 versions, all of them pre-releases',
    stanzas: (_, size) =>
      shuffled(20_000 * size).map((i) => ({ P: 'candidates-only', V: `${i}_rc1-r0`, t: built(i) })),
  },
  {
    name: 'uneven',
    what: '20,000 versions an arch, none of them on the other',
    stanzas: (arch, size) =>
      shuffled(20_000 * size).map((i) => ({
        P: 'uneven',
        V: `${2 * i + (arch === 'aarch64' ? 1 : 0)}-r0`,
        t: built(i),
      })),
  },
  {
    name: 'needing',
    what: '20,000 versions, each needs the same version of another name',
    stanzas: (_, size) =>
      shuffled(20_000 * size).flatMap((i) => [
        { P: 'needing', V: `${i}-r0`, D: `needed=${i}-r0 libc>=${i}` },
        { P: 'needed', V: `${i}-r0` },
      ]),
  },
  {
    name: 'lacking',
    what: '20,000 versions, each needs twenty that are not there',
    stanzas: (_, size) =>
      shuffled(20_000 * size).map((i) => ({
        P: 'lacking',
        V: `${i}-r0`,
        D: upTo(20)
          .map((j) => `needed>${20 * i + j}-r0`)
          .join(' '),
      })),
  },
  {
    name: 'spelled',
    what: '20,000 ways to spell one version',
    stanzas: (_, size) =>
      upTo(20_000 * size).map((i) => ({
        P: 'spelled',
        V: `${'0'.repeat(i % 200)}1-r${'0'.repeat(Math.floor(i / 200))}1`,
      })),
  },
  {
    name: 'so:lib77.so.1',
    what: 'one of 50,000 provides of a package',
    stanzas: (_, size) => [
      {
        P: 'provider',
        V: '1-r0',
        p: upTo(50_000 * size)
          .map((i) => `so:lib${i}.so.1=${i}`)
          .join(' '),
      },
    ],
  },
  { name: 'provider', what: 'a package with 50,000 provides', stanzas: () => [] },
  {
    name: 'again',
    what: '50,000 provides of one name by one package',
    stanzas: (_, size) => [
      {
        P: 'repeating',
        V: '1-r0',
        p: upTo(50_000 * size)
          .map((i) => `again=${i}`)
          .join(' '),
      },
    ],
  },
  {
    name: 'candidates',
    what: '10,000 packages that provide one version',
    stanzas: (_, size) =>
      upTo(10_000 * size).map((i) => ({ P: `candidate${i}`, V: `${i}-r0`, p: 'candidates=1', t: built(i) })),
  },
  {
    name: 'crowd',
    what: '10,000 packages of one version, all of which need another 10,000',
    stanzas: (_, size) =>
      upTo(10_000 * size).flatMap((i) => [
        { P: `crowd${i}`, V: '1', p: 'crowd=1', D: `${i % 2 === 0 ? 'gone=1 ' : ''}others=1` },
        { P: `others${i}`, V: '1', p: 'others=1', D: 'crowd=1' },
      ]),
  },
  {
    name: 'wanting',
    what: 'a package with 50,000 dependencies',
    stanzas: (_, size) => [
      {
        P: 'wanting',
        V: '1-r0',
        D: upTo(50_000 * size)
          .map((i) => `so:lib${i}.so.1=${i}`)
          .join(' '),
      },
    ],
  },
  {
    name: 'chain0',
    what: '20,000 packages of which each needs the next',
    stanzas: (_, size) => upTo(20_000 * size).map((i) => ({ P: `chain${i}`, V: '1', D: `chain${i + 1}=1` })),
  },
  {
    name: 'series-1',
    what: 'one of 20,000 series',
    stanzas: (_, size) =>
      upTo(20_000 * size).map((i) => ({
        P: `series-${i}`,
        V: '1-r0',
        t: built((100 * 86_400 * i) % 200_000_000),
      })),
  },
];

export interface HostileQuestion {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
export const CURL = { 'user-agent': 'curl/8.21.0' };

/** Every route that answers for one name, asked in every way that takes another path through the code. */
export function questionsFor(name: string): readonly HostileQuestion[] {
  const path = `/${encodeURIComponent(name)}`;
  return [
    ...[
      '', '?current=150.1-r0', '?current=150.1-r9', '?current=150.0_rc1-r0', '?current=~150', '?current=1-r1',
      '?strip=revision', '?line=150', '?arch=x86_64', '/latest', '/latest?range=<2', '/latest?range=^1.2', '/explain',
      '/explain?current=150.1-r0', '/explain?current=>=150 <151', '/badge.svg',
    ].map((rest) => ({ path: `${path}${encodeURI(rest)}` })), // prettier-ignore
    { path: `/-/for${path}` },
    { path: `/-/search?q=${encodeURIComponent(name)}` },
    { path: `${path}/explain?current=150.1-r0`, headers: CURL },
    { path: `${path}/explain?all`, headers: CURL },
    { path, headers: BROWSER },
    { path: `${path}?current=150.1-r0`, headers: BROWSER },
  ];
}

/** Routes that answer for all names. */
export const questionsForAll: readonly HostileQuestion[] = [
  { path: '/nobody-has-this' },
  { path: '/hostile' },
  { path: '/hostile', headers: BROWSER },
  { path: '/-/asked' },
  { path: '/metrics' },
  { path: '/any/APKINDEX.tar.gz' },
  { path: '/x86_64/APKINDEX.tar.gz' },
];
