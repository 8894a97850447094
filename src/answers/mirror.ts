/**
 * The index from which apk can install a view (docs/decisions/019): the original stanzas, so that apk and apko can
 * verify downloads. The files are those of the repositories.
 */
import { LRUCache } from 'lru-cache';
import { normalIdentity } from '../apk/identity.ts';
import { RowSet, type Package } from '../apk/packages.ts';
import { inSteps } from '../apk/pieces.ts';
import { stanzasOf } from '../apk/stanzas.ts';
import { parseVersion } from '../apk/version.ts';
import { mirroredRows } from '../catalog/mirrored.ts';
import type { Origin, Snapshot } from '../repository/live-datasource.ts';
import { createPause, type Queue } from '../repository/pace.ts';
import type { IndexArchive, IndexFormat, IndexWriter } from './index-writer.ts';
import { PACKAGE_NAME } from './virtual-index.ts';

/** Archives that are kept. One of Wolfi has some 10 MB. */
const MAX_ARCHIVES = 6;

export class Mirrors {
  readonly #writer: IndexWriter;
  /** The rows that the index of each arch lists, one set for each source. */
  readonly #listed = new WeakMap<Snapshot, Map<string, readonly RowSet[]>>();
  /** Listings in progress, by generation and arch. */
  readonly #listing = new Map<string, Promise<readonly RowSet[]>>();
  readonly #archives = new LRUCache<string, Promise<IndexArchive>>({ max: MAX_ARCHIVES });

  constructor(writer: IndexWriter) {
    this.#writer = writer;
  }

  /** Whether all packages of an arch come from apk 2 indexes, whose stanzas can be copied. */
  canMirror({ catalog, origins }: Snapshot, arch: string): boolean {
    return catalog.sources.every((source, i) => source.arch !== arch || origins?.[i]?.format === 'v2');
  }

  /** A missing archive is made in `queue`, once for all concurrent requests. */
  archive(view: Snapshot, arch: string, format: IndexFormat, queue: Queue): Promise<IndexArchive> {
    const key = `${view.generation} ${arch} ${format}`;
    const known = this.#archives.get(key);
    if (known) return known;
    const made = queue(() =>
      this.#writer.write(this.#stanzas(view, arch), `apk-beacon ${view.generation}`, format),
    );
    this.#archives.set(key, made);
    made.catch(() => this.#archives.delete(key));
    return made;
  }

  /** The origin of the package with this file name, if the index of the arch lists it. */
  async find(view: Snapshot, arch: string, file: string, queue: Queue): Promise<Origin | undefined> {
    const candidates = splits(file).flatMap(({ name, version }) =>
      view.catalog.sources.flatMap(({ packages }, i) =>
        packages.named(name).flatMap((each) => (each.version === version ? { i, row: each.row } : [])),
      ),
    );
    if (candidates.length === 0 || !this.canMirror(view, arch)) return undefined;
    const rows = this.#listed.get(view)?.get(arch) ?? (await this.#listOnce(view, arch, queue));
    const listed = candidates.find(({ i, row }) => rows[i]?.has(row));
    return listed && view.origins?.[listed.i];
  }

  /** Lists an arch whose packages are requested before its index. */
  #listOnce(view: Snapshot, arch: string, queue: Queue): Promise<readonly RowSet[]> {
    const key = `${view.generation} ${arch}`;
    const known = this.#listing.get(key);
    if (known) return known;
    const rows = queue(() => this.#list(view, arch)).finally(() => this.#listing.delete(key));
    this.#listing.set(key, rows);
    return rows;
  }

  async #list(view: Snapshot, arch: string): Promise<readonly RowSet[]> {
    const known = this.#listed.get(view)?.get(arch);
    if (known) return known;
    const stanzas = this.#stanzas(view, arch);
    while (!(await stanzas.next()).done);
    return this.#listed.get(view)?.get(arch) ?? [];
  }

  /** The stanzas of the packages that can be installed from the view and that are safe to copy. */
  async *#stanzas(view: Snapshot, arch: string): AsyncGenerator<string> {
    const ofView = this.#listed.get(view) ?? new Map<string, readonly RowSet[]>();
    this.#listed.set(view, ofView);
    const base = view.view?.base ?? view;
    const rows =
      ofView.get(arch) ?? (await inSteps(mirroredRows(view.catalog, base.catalog, arch), createPause()));
    const listed = rows.map((set) => new RowSet(8 * set.bits.length));
    for await (const { source, row, text } of stanzasOfRows(view, rows)) {
      listed[source]?.add(row);
      yield text;
    }
    ofView.set(arch, listed);
  }
}

interface WrittenStanza {
  readonly source: number;
  readonly row: number;
  readonly text: string;
}

/** The stanzas of those rows, from the indexes as they were fetched. */
async function* stanzasOfRows(
  { catalog, origins }: Snapshot,
  rows: readonly RowSet[],
): AsyncGenerator<WrittenStanza> {
  for (const [source, { packages }] of catalog.sources.entries()) {
    const wanted = rows[source];
    const origin = origins?.[source];
    if (!origin || !wanted || wanted.size === 0) continue;
    const { index, digest } = origin;
    let current = { name: '', packages: new Map<string, Package>() };
    const taken = new RowSet(packages.rowCount);
    const options = { limits: index.spec.limits, pause: createPause() };
    const body = await index.indexBody(digest);
    for await (const { name, version, identity, text } of stanzasOf(body, options)) {
      if (name !== current.name)
        current = { name, packages: new Map(packages.named(name).map((each) => [each.identity, each])) };
      const each = current.packages.get(identity) ?? current.packages.get(normalIdentity(identity));
      if (!each || each.version !== version || !wanted.has(each.row) || taken.has(each.row)) continue;
      if (!PACKAGE_NAME.test(name) || !parseVersion(version)) continue;
      taken.add(each.row);
      yield { source, row: each.row, text };
    }
  }
}

const EXTENSION = '.apk';

/** The possible splits of a file name into name and version. */
function splits(file: string): readonly { readonly name: string; readonly version: string }[] {
  if (!file.endsWith(EXTENSION)) return [];
  const text = file.slice(0, -EXTENSION.length);
  const hyphens = [...text.matchAll(/-(?=\d)/g)].map(({ index }) => index);
  return hyphens.map((at) => ({ name: text.slice(0, at), version: text.slice(at + 1) }));
}
