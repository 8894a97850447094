/** Who has a name: the packages that are called so and those that provide it. */
import type { Package } from '../apk/packages.ts';
import { canonicalText, parseVersion, type Version } from '../apk/version.ts';
import type { CatalogSource } from './catalog.ts';
import { isStep } from './steps.ts';

export type PackageId = number;

/** A package that has a name. */
export interface Carrier {
  /** Of the package, unique in the catalog. A number, because a hundred thousand are remembered. */
  readonly id: PackageId;
  readonly package: Package;
  readonly source: CatalogSource;
  /** It is called otherwise. */
  readonly provided: boolean;
  /** Every version at which it has the name: its own, and those of its provides (`undefined`: without one). */
  readonly versions: readonly (string | undefined)[];
}

interface ReadVersion {
  readonly parsed: Version | undefined;
  /** The same for texts that apk calls equal. */
  readonly key: string;
}

/**
 * The carriers and versions read for one report. Each is read once: a name's versions need versions of one other name,
 * and every arch has the same versions. Dropped with the report, so nothing of it is shared.
 */
export class Reading {
  readonly #sources: readonly CatalogSource[];
  readonly #versions = new Map<string, ReadVersion>();
  /** By arch and name, the usable carriers by the one version at which they have the name. */
  readonly #exact = new Map<string, ReadonlyMap<string, readonly Carrier[]>>();

  constructor(sources: readonly CatalogSource[]) {
    this.#sources = sources;
  }

  parse(text: string): Version | undefined {
    return this.#read(text).parsed;
  }

  /** A key of the version `text`, the same for texts that apk calls equal. */
  versionKey(text: string): string {
    return this.#read(text).key;
  }

  /** All carriers of `name` on `arch`, in the order of the repositories. */
  *carriers(name: string, arch: string): Generator<undefined, readonly Carrier[]> {
    const carriers: Carrier[] = [];
    for (const [index, source] of this.#sources.entries()) {
      if (source.arch === arch) yield* this.#addCarriers(carriers, index, name);
    }
    return carriers;
  }

  /** The usable carriers that meet `name=version` on `arch`, their own dependencies aside. */
  *meeting(name: string, version: string, arch: string): Generator<undefined, readonly Carrier[]> {
    const key = `${arch} ${name}`;
    let byVersion = this.#exact.get(key);
    if (!byVersion) {
      byVersion = yield* this.#byVersion(yield* this.carriers(name, arch));
      this.#exact.set(key, byVersion);
    }
    return byVersion.get(this.versionKey(version)) ?? [];
  }

  *#addCarriers(carriers: Carrier[], index: number, name: string): Generator<undefined, void> {
    const source = this.#sources[index] as CatalogSource;
    const providing = source.packages.providing(name);
    const providers = new Set(providing.map(({ row }) => row));
    const add = (each: Package, provided: boolean, versions: Carrier['versions']): void => {
      const id = each.row * this.#sources.length + index;
      carriers.push({ id, package: each, source, provided, versions });
    };
    for (const [i, each] of source.packages.named(name).entries()) {
      if (isStep(i)) yield;
      // Hardly any package provides its own name, so what it provides is not even looked at.
      add(each, false, providers.has(each.row) ? [each.version, ...each.provided(name)] : [each.version]);
    }
    for (const [i, each] of providing.entries()) {
      if (isStep(i)) yield;
      if (each.name !== name) add(each, true, each.provided(name));
    }
  }

  *#byVersion(carriers: readonly Carrier[]): Generator<undefined, ReadonlyMap<string, readonly Carrier[]>> {
    const byVersion = new Map<string, Carrier[]>();
    for (const [i, carrier] of carriers.entries()) {
      if (isStep(i)) yield;
      const key = carrier.package.unusable ? undefined : this.#onlyVersionKey(carrier);
      if (key === undefined) continue;
      const same = byVersion.get(key);
      if (same) same.push(carrier);
      else byVersion.set(key, [carrier]);
    }
    return byVersion;
  }

  /** The key of the version at which it has the name, or `undefined` for one without a version or with several. */
  #onlyVersionKey({ versions }: Carrier): string | undefined {
    const keys = new Set(versions.map((text) => text && this.versionKey(text)));
    const [only] = keys;
    return keys.size === 1 ? only : undefined;
  }

  #read(text: string): ReadVersion {
    const known = this.#versions.get(text);
    if (known) return known;
    const parsed = parseVersion(text);
    // No valid version begins with a blank.
    const read = { parsed, key: parsed ? canonicalText(parsed) : ` ${text}` };
    this.#versions.set(text, read);
    return read;
  }
}
