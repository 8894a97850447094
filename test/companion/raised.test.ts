/** Recipes that repackage Alpine's packages, and whether Renovate finds in them what it raises. */
import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

interface Manager {
  readonly customType: string;
  readonly matchStrings: readonly string[];
}

/** As this repository is configured, which is what the preset gives everybody. */
const { customManagers } = JSON.parse(readFileSync('renovate.json', 'utf8')) as {
  customManagers: readonly Manager[];
};
const patterns = customManagers
  .filter(({ customType }) => customType === 'regex')
  .flatMap(({ matchStrings }) => matchStrings.map((text) => new RegExp(text, 'g')));

const repackaged: Readonly<Record<string, string>> = {
  'linux-firmware': 'linux-firmware-amdgpu',
  'linux-lts': 'linux-lts',
  'linux-lts-initramfs': 'linux-lts',
};

it.each(Object.entries(repackaged))("raises version and epoch of %s to Alpine's %s", (name, depName) => {
  const text = readFileSync(`packages/${name}.yaml`, 'utf8');
  const recipe = parse(text) as { package: { version: string; epoch: number } };
  const found = patterns
    .flatMap((pattern) => [...text.matchAll(pattern)].map(({ groups }) => ({ ...groups })))
    // Other managers look for other things.
    .filter((groups) => 'currentDigest' in groups && 'source' in groups);
  expect(found).toMatchObject([
    {
      depName,
      source: 'alpine',
      currentValue: String(recipe.package.version),
      currentDigest: String(recipe.package.epoch),
    },
  ]);
});

it('has a comment for Renovate in every recipe that fetches from Alpine', () => {
  const fetching = globSync('packages/*.yaml')
    .filter((file) => readFileSync(file, 'utf8').includes('alpine-mirror'))
    .map((file) => basename(file, '.yaml'));
  expect(Object.keys(repackaged)).toEqual(expect.arrayContaining(fetching));
});

it('has one version and revision of the kernel and of its initramfs', () => {
  const of = (name: string) => {
    const { version, epoch } = (
      parse(readFileSync(`packages/${name}.yaml`, 'utf8')) as {
        package: { version: string; epoch: number };
      }
    ).package;
    return `${version}-r${epoch}`;
  };
  expect(of('linux-lts-initramfs')).toBe(of('linux-lts'));
});

it('pins every source that a recipe checks out, but dracut, of which no commit is known here', () => {
  const unpinned = globSync('packages/*.yaml').filter((file) => {
    const text = readFileSync(file, 'utf8');
    const checkouts = text.match(/uses: git-checkout/g)?.length ?? 0;
    return checkouts !== (text.match(/expected-commit: [0-9a-f]{40}$/gm)?.length ?? 0);
  });
  expect(unpinned).toEqual(['packages/dracut.yaml']);
  for (const file of globSync('packages/*.yaml')) {
    const text = readFileSync(file, 'utf8');
    const fetches = text.match(/uses: fetch/g)?.length ?? 0;
    expect(text.match(/expected-sha(256: [0-9a-f]{64}|512: [0-9a-f]{128})$/gm)?.length ?? 0, file).toBe(
      fetches,
    );
  }
});

const sources = globSync('packages/*.yaml').filter((file) =>
  readFileSync(file, 'utf8').includes('expected-commit: '),
);

it.each(sources)(
  'raises version and commit of %s together, to those of the repository it checks out',
  (file) => {
    const text = readFileSync(file, 'utf8');
    const recipe = parse(text) as {
      package: { version: string };
      pipeline: { uses?: string; with?: Record<string, string> }[];
    };
    const checkout = recipe.pipeline.find(({ uses }) => uses === 'git-checkout')?.with;
    const found = patterns
      .flatMap((pattern) => [...text.matchAll(pattern)].map(({ groups }) => ({ ...groups })))
      .filter((groups) => 'currentDigest' in groups && !('source' in groups));
    expect(found).toEqual([
      {
        depName: checkout?.['repository']?.replace('https://github.com/', ''),
        currentValue: String(recipe.package.version),
        currentDigest: checkout?.['expected-commit'],
      },
    ]);
    expect(checkout?.['tag']).toMatch(/^v?\$\{\{package\.version\}\}$/);
  },
);
