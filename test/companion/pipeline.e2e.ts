/**
 * Assumptions of the pipelines, checked with the real tools: apko merges includes as we do and refuses a stale lock,
 * and publishing a package repository never replaces a version.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';

import { resolveDefinition } from '../../companion/include.ts';
import { parseRecipe } from '../../companion/recipes.ts';
import { buildApk } from '../support/apk-repository.ts';
import { imageNames, recipe } from './stand-ins.ts';
import { environment, describeWith, makeFolder, mustRun, run, temporaryFolder } from './tools.ts';
import { pipelineNeeds, recipeFiles, stepsOf } from './wolfi.ts';
import { copyDefinitions, openWorkshop, workshopTools, type Workshop } from './workshop.ts';

describeWith(workshopTools, 'the pipelines and the real tools', () => {
  const folder = makeFolder();
  let workshop: Workshop;
  let images: string;

  beforeAll(async () => {
    workshop = await openWorkshop(folder);
    const work = join(folder, 'definitions');
    mkdirSync(work);
    copyDefinitions(work, {});
    images = join(work, 'images');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const repositories = () => [
    ...['-b', join(folder, 'stand-ins'), '-b', join(folder, 'built')],
    ...['-k', join(folder, workshop.key.name)],
  ];

  it.each(imageNames)('apko merges the includes of %s as we do', (name) => {
    const args = ['show-config', '--log-level', 'error', ...repositories(), `${name}.yaml`];
    const { stdout } = mustRun('apko', args, { cwd: images });
    const { definition: merged } = resolveDefinition(`${name}.yaml`, (file) =>
      readFileSync(join(images, file), 'utf8'),
    );
    const theirs = parse(stdout) as typeof merged;
    // apko writes its own defaults as well, and arches in Go's words; what was set must be there, in this order.
    expect(theirs).toMatchObject({ ...merged, archs: expect.any(Array) });
    expect(theirs.contents?.packages).toEqual(merged.contents?.packages);
    expect(theirs.archs).toHaveLength(2);
  });

  it('locks both arches, builds from the lock, and apko refuses the lock once an included pin is raised', () => {
    const work = temporaryFolder();
    cpSync(images, work, { recursive: true });
    const apko = (...args: string[]) => run('apko', [...args, ...repositories()], { cwd: work });
    expect(apko('lock', 'containerd.yaml').status).toBe(0);
    const text = readFileSync(join(work, 'containerd.lock.json'), 'utf8');
    // By this line the lock job tells whether the definition has changed.
    expect(text.match(/^ {4}"checksum":/gm)).toHaveLength(1);
    const lock = JSON.parse(text) as {
      contents: { packages: { name: string; version: string; architecture: string }[] };
    };
    const locked = lock.contents.packages.filter(({ name }) => name === 'bootc');
    expect(locked.map(({ version, architecture }) => `${version} ${architecture}`).sort()).toEqual([
      '1.16.9-r0 aarch64',
      '1.16.9-r0 x86_64',
    ]);

    const build = () => {
      const out = temporaryFolder();
      return apko(
        'build',
        '--vcs=false',
        '--sbom=false',
        '--lockfile',
        'containerd.lock.json',
        // Which the lock was not written with.
        '--annotations',
        'org.opencontainers.image.version:2.3.4-r5',
        'containerd.yaml',
        'x:y',
        out,
      );
    };
    expect(build()).toMatchObject({ status: 0 });
    const bootc = join(work, 'bootc.yaml');
    writeFileSync(bootc, readFileSync(bootc, 'utf8').replace(/bootc=\S+/, 'bootc=1.16.10-r0'));
    const stale = build();
    expect(stale.status).toBe(1);
    expect(stale.output).toContain('maybe regenerate the lock file');
  });

  it('lock.sh writes a lock for each image, in subfolders too', () => {
    const work = temporaryFolder();
    mustRun('git', ['init', '-q', work]);
    cpSync(images, join(work, 'images'), { recursive: true });
    mkdirSync(join(work, 'images/desktop'));
    renameSync(join(work, 'images/niri.yaml'), join(work, 'images/desktop/niri.yaml'));
    const ran = run(resolve('deploy/gitlab/images/.gitlab/lock.sh'), ['bootc.yaml\ndesktop/niri.yaml\n'], {
      cwd: work,
      env: {
        ...environment,
        APK_REPOSITORIES: `${folder}/stand-ins ${folder}/built`,
        APK_KEYS: join(folder, workshop.key.name),
      },
    });
    expect(ran.status, ran.output).toBe(0);
    expect(mustRun('git', ['-C', work, 'diff', '--name-only']).stdout).toBe(
      'images/bootc.lock.json\nimages/desktop/niri.lock.json\n',
    );
  });

  it('lock.sh refuses to lock nothing', () => {
    const ran = run(resolve('deploy/gitlab/images/.gitlab/lock.sh'), [''], { cwd: temporaryFolder() });
    expect(ran).toMatchObject({ status: 1, output: 'lock.sh: no definition is named\n' });
  });

  /** A publishing job's working directory with one package for each arch. */
  const publish = async (repository: string, name: string, version: string, changed = 1) => {
    const work = temporaryFolder();
    for (const arch of ['x86_64', 'aarch64']) {
      mkdirSync(join(work, 'built', arch), { recursive: true });
      const { bytes } = await buildApk({ name, version, arch, buildDate: changed }, workshop.key);
      writeFileSync(join(work, 'built', arch, `${name}-${version}.apk`), bytes);
    }
    const key = join(folder, workshop.key.name.replace(/\.pub$/, ''));
    return run(resolve('deploy/gitlab/images/.gitlab/publish-packages.sh'), [repository, key], { cwd: work });
  };
  const indexed = (repository: string, arch: string) => {
    const index = mustRun('tar', [
      '-xzO',
      '-f',
      join(repository, arch, 'APKINDEX.tar.gz'),
      'APKINDEX',
    ]).stdout;
    return [...index.matchAll(/^P:(.*)\nV:(.*)$/gm)].map(([, name, version]) => `${name}-${version}`).sort();
  };

  it('adds to a published repository, signed with its key, and never replaces a version', async () => {
    const repository = temporaryFolder();
    expect(await publish(repository, 'one', '1-r0')).toMatchObject({ status: 0 });
    expect(await publish(repository, 'two', '2-r0')).toMatchObject({ status: 0 });
    for (const arch of ['x86_64', 'aarch64']) {
      expect(indexed(repository, arch)).toEqual(['one-1-r0', 'two-2-r0']);
      const members = mustRun('tar', [
        '-tzf',
        join(repository, arch, 'APKINDEX.tar.gz'),
        '--ignore-zeros',
      ]).stdout;
      expect(members).toContain('.SIGN.RSA256.packages.rsa.pub\n');
      expect(existsSync(join(repository, arch, '.new'))).toBe(false);
    }
    // A job that did not come to its end, started once more.
    expect(await publish(repository, 'one', '1-r0')).toMatchObject({ status: 0 });
    const again = await publish(repository, 'one', '1-r0', 2);
    expect(again.status).toBe(1);
    expect(again.output).toContain('published already, from other sources; raise the epoch');
    expect(indexed(repository, 'x86_64')).toEqual(['one-1-r0', 'two-2-r0']);
  });

  it('withdraws a version as README.md says, and does not publish it again with the next', async () => {
    const repository = temporaryFolder();
    const key = join(folder, workshop.key.name.replace(/\.pub$/, ''));
    for (const version of ['26.04-r2', '26.04-r3']) {
      expect(await publish(repository, 'niri', version)).toMatchObject({ status: 0 });
      expect(await publish(repository, 'niri-bash-completion', version)).toMatchObject({ status: 0 });
    }
    const readme = readFileSync('deploy/gitlab/images/README.md', 'utf8');
    const shown = /Withdrawing a version[^]*?```sh\n([^]*?)```/.exec(readme)?.[1] ?? '';
    mustRun('sh', ['-ec', shown.replace('/srv/apks', repository).replace('~/packages.rsa', key)]);
    expect(await publish(repository, 'one', '1-r0')).toMatchObject({ status: 0 });
    for (const arch of ['x86_64', 'aarch64']) {
      const there = ['niri-26.04-r3', 'niri-bash-completion-26.04-r3', 'one-1-r0'];
      expect(indexed(repository, arch)).toEqual(there);
      const files = [...there.map((name) => `${name}.apk`), 'APKINDEX.tar.gz'];
      expect(readdirSync(join(repository, arch)).sort()).toEqual(files.sort());
    }
  });

  it.each(readdirSync('packages').filter((name) => name.endsWith('.yaml')))(
    'melange reads %s as we do',
    (file) => {
      const name = file.replace(/\.yaml$/, '');
      const { stdout } = mustRun('melange', [
        'query',
        `packages/${file}`,
        '{{.Package.Name}} {{.Package.Version}}-r{{.Package.Epoch}}{{range .Subpackages}} {{.Name}}{{end}}',
      ]);
      const { packages, version } = recipe(name);
      const [own, ...subpackages] = packages.map((each) => each.name);
      expect(stdout.trim()).toBe([own, version, ...subpackages].join(' '));
    },
  );

  it.each(recipeFiles)('melange compiles %s, and adds to its environment what the record says', (file) => {
    const { stdout } = mustRun('melange', ['compile', '--arch', 'x86_64', file]);
    const { environment: compiled } = JSON.parse(stdout) as {
      environment: { contents: { packages: string[] } };
    };
    const { build } = parseRecipe(readFileSync(file, 'utf8'), file);
    const added = stepsOf(file).build.flatMap(({ uses }) => (uses === undefined ? [] : pipelineNeeds[uses]));
    const names = compiled.contents.packages.map((entry) => entry.split('=', 1)[0]);
    expect([...new Set(names)].sort()).toEqual([...new Set([...build, ...added])].sort());
  });

  it('melange refuses a recipe with a misspelt key', () => {
    const file = join(temporaryFolder(), 'broken.yaml');
    writeFileSync(file, readFileSync('packages/nori-user.yaml', 'utf8').replace('pipeline:', 'pipelines:'));
    expect(run('melange', ['query', file, '{{.Package.Name}}']).status).not.toBe(0);
  });
});
