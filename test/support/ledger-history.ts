/** Histories of an index for the ledger, and what is true of every generation of them. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { IDENTITY_BYTES } from '../../src/apk/identity.ts';
import { defaultReadLimits, readIndex } from '../../src/apk/read-index.ts';
import type { RecordedPackage } from '../../src/ledger-store/history.ts';

/** A package from the generation in which it appeared to before the one in which it vanished. */
interface Stay extends RecordedPackage {
  readonly appeared: number;
  readonly vanished: number | undefined;
}

export interface LedgerHistory {
  /** Unix milliseconds, by number minus 1. */
  readonly seenAt: readonly number[];
  readonly stays: readonly Stay[];
}

export function presentAt({ stays }: LedgerHistory, number: number): readonly RecordedPackage[] {
  return stays
    .filter(({ appeared, vanished }) => appeared <= number && (vanished === undefined || vanished > number))
    .map(({ name, version, identity, builtAt, releasedAt }) => ({
      ...{ name, version, identity, builtAt, releasedAt },
    }));
}

const ARCH = 'x86_64';
export const GENERATIONS = 5000;
const DAY = 86_400;
const QUARTER = 900;
/** Seconds; what Wolfi withdraws is about as old. */
const OLD = 184 * DAY;
/** The share of an index that is there at first. */
const FIRST = 0.2;

/** When Wolfi withdrew what the lists name. The last list is of the index that the history ends with. */
const withdrawals = [
  ['wolfi-2026-05-18.txt.gz', Date.UTC(2026, 4, 18) / 1000],
  ['wolfi-2026-06-17.txt.gz', Date.UTC(2026, 5, 17) / 1000],
  ['wolfi-2026-07-23.txt.gz', Date.UTC(2026, 6, 23) / 1000],
  ['wolfi-2026-08-13-dev.txt', Date.UTC(2026, 7, 13) / 1000],
] as const;

/**
 * A history of Wolfi: packages appear when they were built (`t:` of the real index) and go when the lists of withdrawn
 * packages say so. Of those that are in no index any more, the build time is made up: half a year before.
 */
export async function wolfiHistory(folder: string): Promise<LedgerHistory> {
  const bytes = readFileSync(join(folder, 'wolfi-2026-07-24', ARCH, 'APKINDEX.tar.gz'));
  const { packages } = await readIndex(bytes, {
    keys: 'unverified',
    limits: defaultReadLimits,
    arch: ARCH,
    pause: () => undefined,
  });
  const { columns, strings } = packages;
  const known = Array.from(columns.name, (name, row) => ({
    name: strings.names.list.text(name),
    version: strings.values.text(columns.version[row] as number),
    identity: `Q1${Buffer.from(columns.identity.subarray(row * IDENTITY_BYTES, (row + 1) * IDENTITY_BYTES)).toString('base64')}`,
    builtAt: columns.builtAt[row] as number,
  }));
  const there = new Set(known.map(({ name, version }) => `${name}-${version}`));
  const gone = new Map<string, number>();
  const before: typeof known = [];
  for (const [file, day] of withdrawals) {
    for (const line of listOf(join(folder, 'withdrawn', file))) {
      const [, name = '', version = ''] = /^(.+)-([^-]+-r\d+)\.apk$/.exec(line) ?? [];
      const key = `${name}-${version}`;
      if (name === '' || gone.has(key)) continue;
      gone.set(key, day);
      const digest = createHash('sha1').update(`${ARCH} ${key}`).digest();
      const builtAt = day - OLD - (digest.readUInt32LE() % (60 * DAY));
      if (!there.has(key))
        before.push({ name, version, identity: `Q1${digest.toString('base64')}`, builtAt });
    }
  }
  const all = [...known, ...before].toSorted((a, b) => a.builtAt - b.builtAt);
  const first = Math.floor(all.length * FIRST);
  const share = (all.length - first) / (GENERATIONS - 2);
  /** When the packages up to each were seen; the last generation is what the last list left. */
  const seenAt = Array.from({ length: GENERATIONS - 1 }, (_, i) => {
    const last = all[Math.min(all.length, Math.round(first + i * share)) - 1];
    return ((last?.builtAt ?? 0) + QUARTER) * 1000;
  });
  for (const [i, time] of seenAt.entries()) seenAt[i] = Math.max(time, (seenAt[i - 1] ?? 0) + 1000);
  seenAt.push(Math.max((withdrawals[3][1] + QUARTER) * 1000, (seenAt.at(-1) ?? 0) + 1000));
  /** The first generation that is seen after a day of withdrawals. */
  const withdrawnIn = new Map<number, number>(
    withdrawals.map(([, day]) => [day, 1 + seenAt.findIndex((time) => time >= day * 1000)]),
  );
  const stays = all.map((each, i): Stay => {
    const appeared = i < first ? 1 : 2 + Math.min(GENERATIONS - 3, Math.floor((i - first) / share));
    const day = gone.get(`${each.name}-${each.version}`);
    const vanished = day === undefined ? undefined : Math.max(withdrawnIn.get(day) ?? 0, appeared + 1);
    const seen = Math.floor((seenAt[appeared - 1] as number) / 1000);
    return {
      ...each,
      releasedAt: appeared > 1 || each.builtAt > seen ? seen : each.builtAt,
      appeared,
      vanished: vanished !== undefined && vanished > GENERATIONS ? undefined : vanished,
    };
  });
  return { seenAt, stays };
}

function listOf(file: string): readonly string[] {
  const bytes = readFileSync(file);
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString().split('\n');
}

/** The lines of an export of the history, for `ledger import`. */
export function* historyLines({ seenAt, stays }: LedgerHistory, index: string): Generator<string> {
  yield JSON.stringify({ ledger: 1 });
  yield JSON.stringify({ index, arch: ARCH });
  const counts = new Array<number>(seenAt.length + 2).fill(0);
  for (const { appeared, vanished } of stays) {
    counts[appeared] = (counts[appeared] as number) + 1;
    if (vanished !== undefined) counts[vanished] = (counts[vanished] as number) - 1;
  }
  let present = 0;
  for (const [i, time] of seenAt.entries()) {
    present += counts[i + 1] as number;
    const digest = createHash('sha256').update(String(i)).digest('hex');
    const signer = 'wolfi-signing.rsa.pub';
    yield JSON.stringify({ generation: [i + 1, time, digest, signer, Math.floor(time / 1000), present] });
  }
  // In the order in which a ledger writes them.
  for (const { name, version, identity, builtAt, releasedAt, appeared, vanished } of stays.toSorted(
    (a, b) => a.appeared - b.appeared,
  ))
    yield JSON.stringify({
      package: [
        ...[name, version, { base64: identity.slice(2) }, builtAt, releasedAt, appeared],
        ...[vanished ?? null, null],
      ],
    });
  yield JSON.stringify({ end: true });
}
