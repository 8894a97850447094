/** Resolves a definition or lock file to the packages of an image on one arch, with the current index. */
import { Build, Unresolvable, type SourcesByArch } from '../check/apko-resolver.ts';
import { operatorSpan } from '../apk/constraint.ts';
import type { Package } from '../apk/packages.ts';
import { compareVersions, parseVersion, type Version } from '../apk/version.ts';
import { finish } from '../catalog/steps.ts';
import { IndexError } from '../errors.ts';
import type { Contents } from './delta.ts';
import { isLock, type Definition, type Lock } from './definition.ts';
import type { Installed } from './layers.ts';

export interface Resolution extends Contents {
  /** Pins that the index no longer has. Their packages count with the size and dependencies of the newest version. */
  readonly withdrawn: readonly string[];
}

export interface Place {
  readonly arch: string;
  readonly sources: SourcesByArch;
}

/** `budget` is for a lock file, which does not have it. Throws `IndexError` if apko could not build the image. */
export function resolveImage(
  image: Definition | Lock,
  { file, budget }: { readonly file: string; readonly budget: number | undefined },
  place: Place,
): Resolution {
  if (isLock(image)) return resolveLock(image, budget, place);
  const withdrawn = image.packages.filter((text) => isWithdrawn(text, place));
  const constraints = image.packages.map((text) => (withdrawn.includes(text) ? nameOf(text) : text));
  try {
    const packages = finish(new Build({ ...place, tagOf: () => undefined }).packages(constraints));
    const versions = new Map(withdrawn.map((text) => [nameOf(text), versionOf(text)]));
    return {
      packages: packages.map((each) => installed(each, versions.get(each.name))),
      budget: image.budget,
      withdrawn,
    };
  } catch (cause) {
    if (!(cause instanceof Unresolvable)) throw cause;
    throw new IndexError(
      'index-unsupported',
      `${file}: apko cannot build it for ${place.arch}: ${cause.message}`,
    );
  }
}

function resolveLock({ packages }: Lock, budget: number | undefined, place: Place): Resolution {
  const withdrawn: string[] = [];
  const all = (packages.get(place.arch) ?? []).map(({ name, version, identity, packed }): Installed => {
    const known = named(name, place);
    const found = known.find((each) => each.version === version);
    if (!found) withdrawn.push(`${name}=${version}`);
    const like = found ?? newestOf(known);
    const own = like
      ? installed(like, version)
      : { name, version, identity: '', origin: name, packed: 0, installed: 0 };
    // The index may have another build of the same version.
    return { ...own, packed: packed ?? own.packed, ...(found && identity && { identity }) };
  });
  return { packages: all, budget, withdrawn };
}

/** With `version` instead of the version in the index, if given. */
function installed(from: Package, version = from.version): Installed {
  const { packed, installed: size } = from.sizes ?? { packed: 0, installed: 0 };
  const identity = version === from.version ? from.identity : '';
  return { name: from.name, version, identity, origin: from.origin, packed, installed: size };
}

/** Whether it is an exact pin of a version that is gone, of a name that still exists. */
function isWithdrawn(text: string, place: Place): boolean {
  const { start, end } = operatorSpan(text);
  if (text.slice(start, end) !== '=') return false;
  const known = named(nameOf(text), place);
  return known.length > 0 && known.every(({ version }) => version !== versionOf(text));
}

function nameOf(text: string): string {
  return text.slice(0, operatorSpan(text).start);
}

/** Without the tag of a repository, which apko has last: `curl=8.1-r0@local`. */
function versionOf(text: string): string {
  return text.slice(operatorSpan(text).end).replace(/@.*/, '');
}

function named(name: string, { arch, sources }: Place): readonly Package[] {
  return (sources.get(arch) ?? []).flatMap(({ packages }) => packages.named(name));
}

/** An index lists versions in any order. */
function newestOf(packages: readonly Package[]): Package | undefined {
  let newest: { readonly version: Version; readonly package: Package } | undefined;
  for (const each of packages) {
    const version = parseVersion(each.version);
    if (version && (!newest || compareVersions(version, newest.version) > 0))
      newest = { version, package: each };
  }
  return newest?.package;
}
