/**
 * Reads mutants of a signed index, alternating between both formats. Allowed results are an `IndexError`, or an index
 * that an independent reader (zlib, tar-stream and simple parsers) reads in the same way, completely. Under the old
 * signature the packages must be unchanged. Some mutants also go through a `LiveIndex`, which must keep the old index
 * or take all of the new one.
 *
 *     npm run fuzz -- --mutants 1000000 --seed 7
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { isAdb } from '../../src/apk/adb-file.ts';
import type { Packages } from '../../src/apk/packages.ts';
import { defaultReadLimits, readIndex } from '../../src/apk/read-index.ts';
import type { TrustedKey } from '../../src/apk/signature.ts';
import { IndexError } from '../../src/errors.ts';
import { IndexStore } from '../../src/repository/index-store.ts';
import { LiveDatasource } from '../../src/repository/live-datasource.ts';
import { LiveIndex } from '../../src/repository/live-index.ts';
import { createUpstreamClient } from '../../src/repository/upstream-client.ts';
import { adbKey } from '../support/adb.ts';
import { mutateAdb, originalAdb } from '../support/adb-mutants.ts';
import { mutate, originalIndex, type Mutant, type Original } from '../support/mutants.ts';
import { Random } from '../support/random.ts';
import { testKey } from '../support/signed-index.ts';
import { adbText } from '../support/simple-adb.ts';
import { simplePackages } from '../support/simple-packages.ts';

export interface Tally {
  readonly mutants: number;
  /** How many ended with each code; `accepted` for those that were taken. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly published: number;
}

const ARCH = 'x86_64';
/** One mutant in so many is also served; odd, so that both formats are. */
const SERVED = 19;

/** Throws at the first wrong result; the message tells how to reproduce it. */
export async function fuzz({ mutants, seed }: { mutants: number; seed: number }): Promise<Tally> {
  const [archive, adb] = [await originalIndex(), originalAdb()];
  const served = await ServedIndex.start();
  const outcomes = new Map<string, number>();
  for (let number = 0; number < mutants; number += 1) {
    // A seed of its own, so that one can be made again without those before.
    const random = new Random(seed + number);
    const isOdd = (seed + number) % 2 === 1;
    const original = isOdd ? adb : archive;
    const mutant = await (isOdd ? mutateAdb(adb, random) : mutate(archive, random));
    try {
      const outcome = await judge(mutant, original);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (number % SERVED === 0) await served.offer(mutant, outcome, original);
    } catch (cause) {
      const again = `npm run fuzz -- --mutants 1 --seed ${seed + number}`;
      throw new Error(`mutant ${number} (${mutant.trust}; ${mutant.how}); again: ${again}`, { cause });
    }
  }
  await served.stop();
  return { mutants, outcomes, published: served.published };
}

async function judge({ bytes, trust }: Mutant, original: Original): Promise<string> {
  const keys = trust === 'unsigned' ? 'unverified' : [testKey(), adbKey()];
  let packages: Packages;
  try {
    ({ packages } = await readIndex(bytes, { keys, limits: defaultReadLimits, arch: ARCH }));
  } catch (error) {
    if (error instanceof IndexError) return error.code;
    throw error;
  }
  const text = trust === 'stale' ? Buffer.from(original.text) : await readIndependently(bytes);
  // The plain parser knows characters, not bytes; it is no judge of broken UTF-8.
  if (text.some((byte) => byte >= 0x80)) return 'accepted';
  // In text a carriage return at the end of a value belongs to the line; in an ADB it belongs to the value.
  if (isAdb(bytes) && text.includes('\r')) return 'accepted';
  const expected = contentsOf(simplePackages(text.toString('latin1'), ARCH, isAdb(bytes) ? 'adb' : 'v2'));
  if (contentsOf(packages) !== expected) throw new Error('it was read differently');
  return 'accepted';
}

/** The one APKINDEX of an archive, or what an ADB would have there. */
async function readIndependently(bytes: Buffer): Promise<Buffer> {
  if (isAdb(bytes)) return Buffer.from(adbText(bytes), 'latin1');
  const found: Buffer[] = [];
  // Its types do not know the option; without it, it refuses the headers of before POSIX.
  const archive = extract({ allowUnknownFormat: true } as object);
  archive.end(gunzipSync(bytes));
  for await (const entry of archive) {
    const pieces: Buffer[] = [];
    for await (const piece of entry) pieces.push(piece as Buffer);
    const content = Buffer.concat(pieces);
    if (content.length !== entry.header.size) throw new Error(`${entry.header.name} is not whole`);
    if (entry.header.name === 'APKINDEX') found.push(content);
  }
  const [only, ...more] = found;
  if (only === undefined || more.length > 0) throw new Error(`${found.length} indexes in it`);
  return only;
}

/** All that a catalog can ask of an index. */
function contentsOf(packages: Packages): string {
  const list = [...packages.names()].toSorted().map((name) =>
    packages.named(name).map((each) => {
      const {
        version,
        identity,
        builtAt,
        origin,
        commit,
        url,
        provides,
        dependencies,
        priority,
        conflictsWithItself,
        unusable,
      } = each;
      return [
        name,
        version,
        identity,
        builtAt,
        origin,
        commit,
        url,
        provides,
        dependencies,
        priority,
        conflictsWithItself,
        unusable,
      ];
    }),
  );
  const provided = [...packages.providedNames()].toSorted();
  const providers = provided.map((name) => [name, packages.providing(name).map((each) => each.version)]);
  return JSON.stringify([packages.packageCount, list, providers]);
}

/** An index of a service, in a file that changes under it. */
class ServedIndex {
  published = 0;
  readonly #folder: string;
  readonly #file: string;
  readonly #indexes: Readonly<Record<'signed' | 'unsigned', LiveIndex>>;
  readonly #close: () => Promise<void>;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#file = join(folder, 'APKINDEX.tar.gz');
    const client = createUpstreamClient({ environment: {} });
    this.#close = () => client.close();
    const index = (keys: 'unverified' | readonly TrustedKey[]): LiveIndex =>
      new LiveIndex(
        {
          location: this.#file,
          terms: '',
          label: this.#file,
          repository: folder,
          arch: ARCH,
          required: true,
          guards: { rollback: 'accept', maxShrink: 1, maxAge: undefined },
          maxCompressedBytes: 1024 * 1024,
          limits: defaultReadLimits,
          isPrivate: false,
          cached: false,
        },
        {
          client,
          packages: client,
          credentials: undefined,
          keys: () => Promise.resolve(keys),
          store: new IndexStore(undefined, () => undefined),
          now: Date.now,
          oneAtATime: (work) => work(),
          pause: () => undefined,
          warn: () => undefined,
        },
      );
    this.#indexes = { signed: index([testKey(), adbKey()]), unsigned: index('unverified') };
  }

  static async start(): Promise<ServedIndex> {
    return new ServedIndex(await mkdtemp(join(tmpdir(), 'apk-beacon-fuzz-')));
  }

  /** A good index is published, then the mutant comes: the answers stay, or are those of the mutant. */
  async offer({ bytes, trust }: Mutant, outcome: string, original: Original): Promise<void> {
    const index = this.#indexes[trust === 'unsigned' ? 'unsigned' : 'signed'];
    const datasource = new LiveDatasource({
      name: 'fuzz',
      indexes: [index],
      unversionedProvides: true,
      complete: false,
    });
    await this.#refresh(index, original.bytes);
    datasource.publish();
    const before = { loaded: index.loaded, snapshot: datasource.snapshot };
    const { status } = await this.#refresh(index, bytes);
    if (status === 'changed') datasource.publish();
    const wasTaken = index.loaded?.index.packages !== before.loaded?.index.packages;
    if (wasTaken !== (status === 'changed') || (outcome !== 'accepted' && status !== 'failed'))
      throw new Error(`it was ${outcome}, the refresh was ${status}`);
    if (status === 'failed' && datasource.snapshot !== before.snapshot) throw new Error('it was published');
    const catalog = datasource.snapshot?.catalog;
    for (const name of catalog?.names() ?? []) catalog?.report(name);
    if (wasTaken) this.published += 1;
  }

  async #refresh(index: LiveIndex, bytes: Buffer): Promise<{ readonly status: string }> {
    await rm(this.#file, { force: true });
    await writeFile(this.#file, bytes);
    return index.refresh(new AbortController().signal);
  }

  async stop(): Promise<void> {
    await this.#close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export function describeTally({ mutants, outcomes, published }: Tally, seed: number): string {
  const list = [...outcomes].toSorted().map(([outcome, count]) => `  ${outcome.padEnd(20)} ${count}`);
  return [`${mutants} mutants, seed ${seed}; ${published} published`, ...list].join('\n');
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { mutants: { type: 'string' }, seed: { type: 'string' } } });
  const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
  process.stdout.write(`seed ${seed}\n`);
  process.stdout.write(
    `${describeTally(await fuzz({ mutants: Number(values.mutants ?? 50_000), seed }), seed)}\n`,
  );
}
