/**
 * An APKINDEX of the offered versions, merged over the repositories; for `any`, the versions that all archs have. It is
 * for readers such as Renovate's own `apk` datasource. apk cannot install from it, because it lacks the real identities
 * and sizes. Names that packages provide with a version are separate records, because that datasource ignores provides.
 */
import { createHash } from 'node:crypto';
import type { Catalog, VersionReport } from '../catalog/catalog.ts';
import { eachInSteps, isStep, sortInSteps } from '../catalog/steps.ts';
import type { Snapshot } from '../repository/live-datasource.ts';
import { createQueue, type Queue } from '../repository/pace.ts';
import { compareTexts } from '../sorted.ts';
import type { IndexArchive, IndexFormat, IndexWriter } from './index-writer.ts';

/** In place of an arch: the versions that every arch of the datasource has. */
export const ANY_ARCH = 'any';

/** apk-package(5): what a package may be called. Other provided names (`so:`, `/bin/sh`) cannot be records. */
export const PACKAGE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._+-]*$/;

/** Control characters would end a line or affect a terminal; values with one are omitted. */
const CONTROL = /\p{Cc}/u;

/** The archives, made at the first request, one at a time, and kept as long as their generation is served. */
export class VirtualIndexes {
  readonly #writer: IndexWriter;
  readonly #archives = new WeakMap<Snapshot, Map<string, Promise<IndexArchive>>>();
  readonly #oneAtATime = createQueue();

  constructor(writer: IndexWriter) {
    this.#writer = writer;
  }

  /**
   * The APKINDEX.tar.gz of an arch, or of `any`, or the same as Packages.adb. A missing archive is made in `queue`,
   * once for all concurrent requests.
   */
  archive(snapshot: Snapshot, arch: string, format: IndexFormat, queue: Queue): Promise<IndexArchive> {
    const ofSnapshot = this.#archives.get(snapshot) ?? new Map<string, Promise<IndexArchive>>();
    this.#archives.set(snapshot, ofSnapshot);
    const key = `${format} ${arch}`;
    const known = ofSnapshot.get(key);
    if (known) return known;
    const { catalog, generation } = snapshot;
    const made = queue(() =>
      this.#oneAtATime(() =>
        this.#writer.write(virtualIndex(catalog, arch), `apk-beacon ${generation}`, format),
      ),
    );
    ofSnapshot.set(key, made);
    made.catch(() => ofSnapshot.delete(key));
    return made;
  }
}

/**
 * The stanzas, sorted by name, so that the same catalog always gives the same text; `undefined` where the caller may
 * pause.
 */
export function* virtualIndex(catalog: Catalog, arch: string): Generator<string | undefined> {
  const archs = arch === ANY_ARCH ? catalog.archs : [arch];
  if (CONTROL.test(arch)) return;
  for (const name of yield* recordNames(catalog)) {
    yield;
    const { versions = [] } = (yield* catalog.reportUnlessCrowded(name, archs)) ?? {};
    for (const [i, version] of versions.entries()) {
      if (isStep(i)) yield;
      if (version.offered) yield stanza(name, version, arch === ANY_ARCH ? 'noarch' : arch);
    }
  }
}

function* recordNames(catalog: Catalog): Generator<undefined, readonly string[]> {
  const names = new Set<string>();
  for (const { packages } of catalog.sources)
    for (const some of [packages.names(), packages.providedNames()])
      yield* eachInSteps(some, (name) => {
        if (PACKAGE_NAME.test(name)) names.add(name);
      });
  return yield* sortInSteps([...names], compareTexts);
}

function stanza(name: string, { version, releasedAt, chosen }: VersionReport, arch: string): string {
  const identity = createHash('sha1').update(`${name}=${version} for ${arch}`).digest('base64');
  const [origin, commit, url] = [chosen.package.origin, chosen.package.commit, chosen.package.url].map(
    (text) => (CONTROL.test(text) ? '' : text),
  );
  const fields: readonly (readonly [string, string | number | undefined])[] = [
    ['C', `Q1${identity}`],
    ['P', name],
    ['V', version],
    ['A', arch],
    ['S', 1],
    ['I', 1],
    ['T', origin || name],
    ['U', url || undefined],
    ['L', 'unknown'],
    ['o', origin || undefined],
    ['t', releasedAt],
    ['c', commit || undefined],
  ];
  const lines = fields.filter(([, value]) => value !== undefined).map(([key, value]) => `${key}:${value}\n`);
  return `${lines.join('')}\n`;
}
