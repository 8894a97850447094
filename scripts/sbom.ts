/**
 * Prints the npm packages in the bundle as CycloneDX: npm's own list of package-lock.json without packages that are not
 * in the bundle.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from './build.ts';

interface Component {
  readonly 'bom-ref': string;
}

export interface Bom {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** The entries of package-lock.json by folder. */
export type LockedPackages = Readonly<Record<string, { readonly version?: string }>>;

/**
 * `node_modules/a/node_modules/b/lib/c.js` → `b@1.2.3`, npm's name; `undefined` for our own files. The outermost
 * `node_modules` may be a link.
 */
export function packageOf(file: string, locked: LockedPackages): string | undefined {
  const [, folder, name] =
    /(?<=^|\/)(node_modules\/(?:.*\/node_modules\/)?((?:@[^/]+\/)?[^/]+))\//.exec(file) ?? [];
  if (folder === undefined) return undefined;
  const { version } = locked[folder] ?? {};
  if (version === undefined) throw new Error(`package-lock.json does not name ${folder}`);
  return `${name}@${version}`;
}

/** The components of `bom` that have files among `files`. */
export function only(bom: Bom, files: readonly string[], locked: LockedPackages): Bom {
  const wanted = new Set([
    bom.metadata.component['bom-ref'],
    ...files.map((file) => packageOf(file, locked)).filter((name) => name !== undefined),
  ]);
  return {
    ...bom,
    components: bom.components.filter((component) => wanted.has(component['bom-ref'])),
    dependencies: bom.dependencies
      .filter(({ ref }) => wanted.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => wanted.has(each)) })),
  };
}

if (import.meta.main) {
  const folder = mkdtempSync(join(tmpdir(), 'apk-beacon-sbom-'));
  try {
    const { inputs } = await bundle(folder);
    const args = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only'];
    const all = JSON.parse(execFileSync('npm', args, { encoding: 'utf8', maxBuffer: 64e6 })) as Bom;
    // npm names the project after its folder.
    const { name } = JSON.parse(readFileSync('package.json', 'utf8')) as { name: string };
    const component = { ...all.metadata.component, name };
    const bom = { ...all, metadata: { ...all.metadata, component } };
    const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
      packages: LockedPackages;
    };
    process.stdout.write(`${JSON.stringify(only(bom, Object.keys(inputs), packages), null, 2)}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
