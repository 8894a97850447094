/** Alpine's, Wolfi's and MinimOS's secdb: packages (origins) with the versions in which identifiers were fixed. */
import { parseVersion } from '../apk/version.ts';
import { NOT_AFFECTED } from './affected.ts';
import { FeedBuilder } from './feed-builder.ts';
import { idsIn, isPackageName } from './ids.ts';
import { asObject, malformed, parseJson } from './input.ts';

/** Throws `feed-malformed` for anything but a secdb; unusable entries are skipped and counted. */
export function reduceSecdb(text: string): Buffer {
  const feed = asObject(parseJson(text));
  if (!feed || !('packages' in feed)) throw malformed('not an object with "packages"');
  const { packages } = feed;
  // Alpine has written an object for an empty list.
  if (packages !== null && typeof packages !== 'object') throw malformed('"packages" is not a list');
  const list: readonly unknown[] = Array.isArray(packages) ? packages : [];
  const builder = new FeedBuilder();
  const named = list.filter((each) => addPackage(asObject(asObject(each)?.['pkg']), builder)).length;
  if (list.length > 0 && named === 0) throw malformed('none of the packages has a name');
  const { distroversion, reponame } = feed;
  const repository = [distroversion, reponame].every((each) => typeof each === 'string' && each !== '')
    ? `${String(distroversion)}/${String(reponame)}`.slice(0, 100)
    : undefined;
  return builder.finish({
    kind: 'secdb',
    records: named,
    ...(repository !== undefined && { repository }),
  });
}

/** Returns whether the package has a name. */
function addPackage(pkg: Readonly<Record<string, unknown>> | undefined, builder: FeedBuilder): boolean {
  const name = pkg?.['name'];
  if (!isPackageName(name)) {
    builder.skip(
      typeof name === 'string' ? `a package called ${JSON.stringify(name)}` : 'a package without a name',
    );
    return typeof name === 'string';
  }
  for (const [version, ids] of Object.entries(asObject(pkg?.['secfixes']) ?? {})) {
    const affected = affectedBelow(version);
    if (ids === null) continue;
    if (affected === undefined)
      builder.skip(`${name}: apk calls the version ${JSON.stringify(version)} invalid`);
    else if (!Array.isArray(ids)) builder.skip(`${name} ${version}: no list of identifiers`);
    else {
      const texts = ids.filter((each) => typeof each === 'string');
      const found = texts.flatMap(idsIn);
      if (texts.length < ids.length || texts.some((each) => idsIn(each).length === 0))
        builder.skip(`${name} ${version}: an invalid identifier`);
      builder.add({ name, arch: undefined, ids: found, affected });
    }
  }
  return true;
}

function affectedBelow(version: string): string | undefined {
  if (version === '0') return NOT_AFFECTED;
  return parseVersion(version) ? `<${version}` : undefined;
}
