/** The names of archs: apk's, and what others call them. */

/** By Docker's names, which apko takes as well. */
const byDockerName: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  '386': 'x86',
  'arm/v6': 'armhf',
  'arm/v7': 'armv7',
};

/** apk's name by any other that is in use. */
const byOtherName: Readonly<Record<string, string>> = {
  ...byDockerName,
  x64: 'x86_64',
  'x86-64': 'x86_64',
  armv8: 'aarch64',
  i386: 'x86',
  i586: 'x86',
  i686: 'x86',
  arm: 'armhf',
  armv6: 'armhf',
  armv7l: 'armv7',
  ppc64el: 'ppc64le',
  powerpc64le: 'ppc64le',
  loong64: 'loongarch64',
};

/** Those that apk knows. A repository may have others. */
export const apkArchs: ReadonlySet<string> = new Set([
  ...Object.values(byOtherName),
  'riscv64',
  's390x',
  'mips64',
  'ppc64',
  'armeb',
]);

/** apk's name of an arch by another name of it; `undefined` if `name` is none. */
export function archByOtherName(name: string): string | undefined {
  return Object.hasOwn(byOtherName, name) ? byOtherName[name] : undefined;
}

/** apk's name of an arch in a definition of apko, which has apk's names or Docker's. */
export function archOfDefinition(name: string): string {
  return Object.hasOwn(byDockerName, name) ? (byDockerName[name] as string) : name;
}
