import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';

import { resolveDefinition } from '../../companion/include.ts';
import { imagePipeline, isBase, tagsOf, toImage, type Changed, type Purpose } from '../../companion/jobs.ts';
import { packagePipeline } from '../../companion/package-jobs.ts';
import { buildOrder, inBuildOrder, parseRecipe } from '../../companion/recipes.ts';

const definitions = readdirSync('images')
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => resolveDefinition(name, (file) => readFileSync(`images/${file}`, 'utf8')));
const images = definitions.filter((own) => !isBase(own)).map((own) => toImage('images', own));
const jobNames = (pipeline: object) =>
  Object.keys(pipeline).filter((name) => !['include', 'workflow'].includes(name));
const changed = (...paths: string[]): Changed => new Set(paths);
const imageJobs = (paths: Changed, purpose: Purpose = 'verify') =>
  jobNames(imagePipeline(images, paths, purpose));

describe('image pipeline', () => {
  it('rebuilds every image that includes a changed definition', () => {
    expect(imageJobs(changed('images/bootc.yaml'))).toEqual([
      'lock',
      'build:bootc',
      'build:containerd',
      'build:niri',
      'build:pinewall-config',
    ]);
  });

  it('rebuilds one image for its own definition or lock', () => {
    for (const path of ['images/niri.yaml', 'images/niri.lock.json']) {
      expect(imageJobs(changed(path)), path).toEqual(['lock', 'build:niri']);
    }
  });

  it('rebuilds all for the common base, for the pipeline itself, and at night', () => {
    const all = ['lock', ...images.map(({ name }) => `build:${name}`)];
    for (const paths of [
      changed('images/wolfi-base.yaml'),
      changed('.gitlab/images.yml'),
      'everything',
    ] as const) {
      expect(imageJobs(paths)).toEqual(all);
    }
  });

  it('knows a file by whatever path it is included, and the folder however it is written', () => {
    const files: Record<string, string> = {
      'niri.yaml': 'include: ./bootc.yaml\ncontents: { packages: [niri=1-r0] }',
      './bootc.yaml': 'include: ../shared/host.yaml',
      '../shared/host.yaml': 'cmd: init',
    };
    const resolved = resolveDefinition('niri.yaml', (file) => files[file] ?? '');
    for (const folder of ['images', './images/']) {
      const image = toImage(folder, resolved);
      for (const path of ['images/bootc.yaml', 'shared/host.yaml', 'images/niri.lock.json']) {
        expect(imagePipeline([image], changed(path), 'verify'), path).toHaveProperty('build:niri');
      }
    }
  });

  it('rebuilds an image for a key of its own or of a base, which is in the image', () => {
    const files: Record<string, string> = {
      'niri.yaml': 'include: host-base.yaml\ncontents: { keyring: [../keys/niri.rsa.pub] }\ncmd: init',
      'host-base.yaml': 'contents: { keyring: [keys/host.rsa.pub, "https://example.org/os.rsa.pub"] }',
    };
    const image = toImage(
      'images',
      resolveDefinition('niri.yaml', (file) => files[file] ?? ''),
    );
    for (const path of ['images/keys/host.rsa.pub', 'keys/niri.rsa.pub']) {
      expect(imagePipeline([image], changed(path), 'verify'), path).toHaveProperty('build:niri');
    }
    expect(image.files.filter((path) => path.includes('example.org'))).toEqual([]);
  });

  it('builds no base that is only there to be included', () => {
    expect(images.map(({ name }) => name)).not.toContain('wolfi-base');
    expect(imageJobs(changed('images/alpine-base.yaml'))).toEqual(['nothing-to-do']);
  });

  it.each([
    ['wolfi-base.yaml', 'contents: { packages: [busybox] }', true],
    ['python-base.yaml', 'contents: { packages: [python-3.13] }\nentrypoint: { command: python3 }', false],
    ['nginx-base.yaml', 'contents: { packages: [nginx=1.29.1-r0] }', false],
    ['nginx-base.yaml', 'contents: { packages: [nginx=1.29.1-r0@local] }', false],
    ['wolfi.yaml', 'contents: { packages: [busybox] }', false],
    ['wolfi-base.yaml', 'contents: { packages: [busybox] }\ncmd:', true],
    ['wolfi-base.yaml', 'contents: { packages: [busybox] }\ncmd: ~\nentrypoint: {}', true],
  ])('%s with %j is such a base: %j', (name, text, expected) => {
    expect(isBase(resolveDefinition(name, () => text))).toBe(expected);
  });

  it('has only names for resource groups that GitLab takes', () => {
    const jobs = Object.values(imagePipeline(images, 'everything', 'publish'));
    const groups = jobs.flatMap((job) => ('resource_group' in job ? [String(job.resource_group)] : []));
    expect(groups).toHaveLength(images.length);
    for (const group of groups) expect(group).toMatch(/^[\w\-/${}. ]+$/);
  });

  it.each(['Niri.yaml', 'niri desktop.yaml', 'niri+x.yaml', 'desktop/.niri.yaml', 'niri-.yaml'])(
    'refuses %s, which apko builds under this name and no registry accepts',
    (file) => {
      const resolved = resolveDefinition(file, () => 'cmd: init');
      expect(() => toImage('images', resolved)).toThrow(`${file}: no registry accepts its name`);
    },
  );

  it('takes names with dots, dashes and folders', () => {
    for (const name of ['php-8.4', 'desktop/niri', 'a__b/c--d_2']) {
      expect(
        toImage(
          'images',
          resolveDefinition(`${name}.yaml`, () => 'cmd: init'),
        ).name,
      ).toBe(name);
    }
  });

  it('is never empty, which GitLab would refuse', () => {
    expect(imageJobs(changed('README.md'))).toEqual(['nothing-to-do']);
    expect(imagePipeline([], 'everything', 'publish')).toHaveProperty('nothing-to-do.script');
    // Not in the runner's default image, which a closed network does not have.
    expect(imagePipeline([], 'everything', 'publish')).toHaveProperty('nothing-to-do.image', '$APKO_IMAGE');
  });

  it('publishes and signs on the default branch, and never on a merge request', () => {
    const pipeline = imagePipeline(images, changed('images/niri.yaml'), 'publish');
    expect(pipeline).toEqual({
      workflow: { auto_cancel: { on_new_commit: 'none' }, rules: [{ when: 'always' }] },
      include: [{ local: '.gitlab/images.yml' }],
      'publish:niri': {
        extends: '.publish-image',
        variables: {
          IMAGE: 'niri',
          FILES: 'images/niri.yaml images/bootc.yaml images/wolfi-base.yaml images/niri.lock.json',
          TAGS: 'latest 26.04-r0 26.04 26',
          VERSION: '26.04-r0',
        },
        resource_group: 'publish/niri',
      },
      'sign:niri': {
        extends: '.sign-image',
        variables: { IMAGE: 'niri' },
        needs: [{ job: 'publish:niri', artifacts: true }],
      },
    });
    expect(imageJobs('everything').filter((name) => /publish|sign/.test(name))).toEqual([]);
  });
});

describe('tags', () => {
  it.each([
    ['bootc=1.16.9-r0', ['latest', '1.16.9-r0', '1.16.9', '1.16', '1']],
    ['linux-firmware=20260701-r2', ['latest', '20260701-r2', '20260701']],
    ['openssh=10.5_p1-r0', ['latest', '10.5_p1-r0', '10.5_p1', '10.5', '10']],
    // A pre-release must not be what 2.0 and 2 stand for.
    ['thing=2.0_rc1-r0', ['latest', '2.0_rc1-r0', '2.0_rc1']],
    ['thing=1.0~ab12cd-r0', ['latest', '1.0-ab12cd-r0', '1.0-ab12cd', '1.0', '1']],
    ['thing', ['latest']],
    ['thing~1.2', ['latest']],
    // apko's form of a tagged repository.
    ['thing=1.2-r0@local', ['latest', '1.2-r0', '1.2', '1']],
    [undefined, ['latest']],
  ])('of %s', (pin, tags) => {
    expect(tagsOf(pin === undefined ? [] : [pin])).toEqual(tags);
  });
});

describe('package pipeline', () => {
  const recipes = readdirSync('packages')
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => parseRecipe(readFileSync(`packages/${name}`, 'utf8'), name.replace(/\.yaml$/, '')));
  const packageJobs = (paths: Changed, purpose: Purpose = 'verify') =>
    packagePipeline('packages', recipes, paths, purpose) as Record<string, { needs?: { job: string }[] }>;
  const needsOf = (name: string, jobs = packageJobs('everything')) =>
    jobs[name]?.needs?.map(({ job }) => job);

  it('builds what an environment installs first, on the same arch', () => {
    expect(needsOf('build:ostree:x86_64')).toEqual(['build:composefs:x86_64']);
    // Which hands on the packages of composefs.
    expect(needsOf('build:bootc:x86_64')).toEqual(['build:ostree:x86_64']);
    expect(needsOf('build:linux-lts-initramfs:aarch64')).toEqual([
      'build:bootc:aarch64',
      'build:bootc-baselayout:aarch64',
      'build:dracut:aarch64',
      'build:linux-lts:aarch64',
    ]);
    expect(needsOf('build:nori-user:x86_64')).toEqual([]);
  });

  it('tests a package with what it depends on at run time', () => {
    expect(needsOf('test:bootc:x86_64')).toEqual(['build:bootc:x86_64', 'build:bootc-baselayout:x86_64']);
  });

  it('takes what has not changed from the published repository', () => {
    const jobs = packageJobs(changed('packages/bootc.yaml'));
    expect(jobNames(jobs).sort()).toEqual(
      ['aarch64', 'x86_64'].flatMap((arch) => [`build:bootc:${arch}`, `test:bootc:${arch}`]).sort(),
    );
    expect(needsOf('build:bootc:x86_64', jobs)).toEqual([]);
  });

  it('leaves out what is published, arch by arch', () => {
    const builds = `bootc-${recipes.find(({ name }) => name === 'bootc')?.version}`;
    const jobsWithout = (...published: string[]) =>
      jobNames(
        packagePipeline('packages', recipes, changed('packages/bootc.yaml'), 'publish', new Set(published)),
      );
    expect(jobsWithout('x86_64/bootc-0.1-r0', `aarch64/${builds}`)).toEqual([
      'build:bootc:x86_64',
      'test:bootc:x86_64',
      'publish',
    ]);
    expect(jobsWithout(`x86_64/${builds}`, `aarch64/${builds}`)).toEqual(['nothing-to-do']);
  });

  it('refuses a change of a recipe whose version is already published', () => {
    const { version } = recipes.find(({ name }) => name === 'dracut') ?? {};
    const published = new Set([`x86_64/dracut-${version}`]);
    const verify = (...paths: string[]) =>
      jobNames(packagePipeline('packages', recipes, changed(...paths), 'verify', published));
    expect(() => verify('packages/dracut/30-bootc.conf')).toThrow(
      `packages/dracut.yaml: dracut-${version} is published already; raise the version or the epoch`,
    );
    expect(verify('packages/bootc.yaml')).toContain('build:bootc:x86_64');
    // Nothing would be published.
    expect(verify('.gitlab/packages.yml')).toContain('build:dracut:x86_64');
  });

  it('counts the sources of a recipe as the recipe, and not those of one whose name is longer', () => {
    const jobs = jobNames(packageJobs(changed('packages/linux-lts/config')));
    expect(jobs).toContain('build:linux-lts:x86_64');
    expect(jobs).not.toContain('build:linux-lts-initramfs:x86_64');
    const change = changed('packages/linux-lts/config');
    expect(jobNames(packagePipeline('./packages/', recipes, change, 'verify'))).toEqual(jobs);
  });

  it('leaves the repository to a single job, and to none on a merge request', () => {
    const jobs = packageJobs('everything', 'publish');
    const writers = Object.entries(jobs).filter(([, job]) =>
      JSON.stringify(job).includes('.publish-packages'),
    );
    expect(writers).toEqual([
      ['publish', { extends: '.publish-packages', resource_group: 'apk-repository' }],
    ]);
    expect(packageJobs('everything')).not.toHaveProperty('publish');
  });

  it('tries a change of the pipeline on every recipe, without publishing any', () => {
    const pipeline = changed('.gitlab/packages.yml');
    expect(jobNames(packageJobs(pipeline))).toHaveLength(recipes.length * 4);
    expect(jobNames(packageJobs(pipeline, 'publish'))).toEqual(['nothing-to-do']);
  });

  const needing = (name: string, ...needed: string[]) =>
    parseRecipe(
      `package: { name: ${name}, version: "1", epoch: 0 }\nenvironment: { contents: { packages: [${needed.join()}] } }`,
      name,
    );
  /** As at the bottom of every distribution: a compiler that compiles itself, and a libc that needs it. */
  const bootstrap = [
    needing('gcc', 'gcc', 'glibc'),
    needing('glibc', 'gcc', 'headers'),
    needing('headers'),
    needing('curl', 'gcc'),
  ];

  it('builds each recipe of a cycle with the others as they were published', () => {
    const jobs = packagePipeline('packages', bootstrap, 'everything', 'verify') as Record<
      string,
      { needs?: { job: string }[] }
    >;
    const needs = (name: string) => needsOf(`build:${name}:x86_64`, jobs);
    expect(needs('gcc')).toEqual(['build:headers:x86_64']);
    expect(needs('glibc')).toEqual(['build:headers:x86_64']);
    expect(needs('curl')).toEqual(['build:gcc:x86_64', 'build:glibc:x86_64']);
    expect(buildOrder(bootstrap).get('gcc')?.asPublished).toEqual(['gcc', 'glibc']);
    expect(buildOrder(bootstrap).get('curl')?.asPublished).toEqual([]);
  });

  it('knows that packages which exclude each other do not need each other', () => {
    const excluding = (name: string, other: string, ...needed: string[]) =>
      parseRecipe(
        `package: { name: ${name}, version: "1", dependencies: { runtime: ['!${other}'] } }
environment: { contents: { packages: [${needed.join()}] } }`,
        name,
      );
    const order = buildOrder([
      excluding('ssl-a', 'ssl-b'),
      excluding('ssl-b', 'ssl-a', 'app'),
      needing('app', 'ssl-a'),
    ]);
    expect(order.get('ssl-b')).toMatchObject({ beforeBuild: ['app', 'ssl-a'], asPublished: [] });
    expect(order.get('app')?.beforeBuild).toEqual(['ssl-a']);
  });

  it('waits for every recipe that provides what is needed', () => {
    const providing = (name: string, provides: string) =>
      parseRecipe(
        `package: { name: ${name}, version: "1", epoch: 0, dependencies: { provides: [${provides}] } }`,
        name,
      );
    const order = buildOrder([
      needing('app', 'busybox', 'go'),
      needing('busybox'),
      providing('busybox-full', 'busybox=1-r0'),
      providing('go-1.10', 'go=1.10-r0'),
      providing('go-1.9', 'go=1.9-r0'),
    ]);
    expect(order.get('app')?.beforeBuild).toEqual(['busybox', 'busybox-full', 'go-1.10', 'go-1.9']);
  });

  it('has no job that waits for itself, whatever recipes need', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    fc.assert(
      fc.property(fc.array(fc.subarray(names), { minLength: 5, maxLength: 5 }), (needed) => {
        const recipes = names.map((name, position) => needing(name, ...(needed[position] ?? [])));
        const order = buildOrder(recipes);
        const done: string[] = [];
        for (const name of inBuildOrder(recipes)) {
          expect(done).toEqual(expect.arrayContaining([...(order.get(name)?.beforeBuild ?? [])]));
          done.push(name);
        }
        expect(done.toSorted()).toEqual(names);
      }),
    );
  });

  type NeedingJobs = Readonly<Record<string, { readonly needs?: readonly { readonly job: string }[] }>>;

  /** The builds whose packages a job gets: of the jobs that it waits for, and what those got. */
  const gets = (jobs: NeedingJobs, name: string): readonly string[] => {
    const needed = (jobs[name]?.needs ?? []).flatMap(({ job }) => [job, ...gets(jobs, job)]);
    return [...new Set(needed.filter((job) => job.startsWith('build:')))].sort();
  };

  it('gives a job the packages of everything before it, on its arch', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const archs = fc.subarray(['x86_64', 'aarch64'], { minLength: 1 });
    const recipe = fc.record({ needed: fc.subarray(names), archs });
    fc.assert(
      fc.property(fc.array(recipe, { minLength: 5, maxLength: 5 }), (generated) => {
        const recipes = generated.map(({ needed, archs }, position) => ({
          ...needing(names[position] ?? '', ...needed),
          archs,
        }));
        const jobs = packagePipeline('packages', recipes, 'everything', 'verify') as NeedingJobs;
        for (const [name, { beforeBuild }] of buildOrder(recipes)) {
          const before = beforeBuild.map((other) => `build:${other}:x86_64`).filter((job) => job in jobs);
          const build = `build:${name}:x86_64`;
          if (build in jobs) expect(gets(jobs, build)).toEqual(before.sort());
        }
      }),
    );
  });

  it('waits for no more jobs than GitLab allows, however many recipes are needed', () => {
    const leaves = Array.from({ length: 120 }, (_, number) => `leaf-${number}`);
    const chain = Array.from({ length: 60 }, (_, number) => `link-${number}`);
    const jobs = packagePipeline(
      'packages',
      [
        ...leaves.map((name) => needing(name)),
        ...chain.map((name, number) => needing(name, ...chain.slice(0, number))),
        needing('desktop', ...leaves, ...chain),
      ],
      'everything',
      'verify',
    ) as NeedingJobs;
    for (const [name, { needs = [] }] of Object.entries(jobs)) {
      expect(needs.length, name).toBeLessThanOrEqual(50);
      for (const { job } of needs) expect(jobs, name).toHaveProperty([job]);
    }
    expect(gets(jobs, 'build:desktop:x86_64')).toEqual(
      [...leaves, ...chain].map((name) => `build:${name}:x86_64`).sort(),
    );
    expect(parse(readFileSync('deploy/gitlab/images/.gitlab/packages.yml', 'utf8'))).toHaveProperty(
      ['.gather-packages', 'extends'],
      '.build-package',
    );
    expect(jobs['gather:build:desktop:x86_64:1']).toMatchObject({
      extends: '.gather-packages',
      tags: ['$AMD64_RUNNER'],
    });
  });

  it('asks for runners of an arch by a tag that the repository can set', () => {
    const { variables } = parse(readFileSync('deploy/gitlab/images/.gitlab/packages.yml', 'utf8')) as {
      variables: Record<string, string>;
    };
    expect(variables).toEqual({ AMD64_RUNNER: 'amd64', ARM64_RUNNER: 'arm64' });
    const jobs = packageJobs('everything') as unknown as Record<string, { tags: string[] }>;
    expect(jobs['build:bootc:x86_64']?.tags).toEqual(['$AMD64_RUNNER']);
    expect(jobs['build:bootc:aarch64']?.tags).toEqual(['$ARM64_RUNNER']);
  });

  it('orders what is named after all that it needs, and nothing else', () => {
    expect(inBuildOrder(recipes, ['bootc'])).toEqual(['composefs', 'ostree', 'bootc', 'bootc-baselayout']);
    expect(inBuildOrder(recipes)).toHaveLength(recipes.length);
    expect(() => inBuildOrder(recipes, ['missing'])).toThrow('no recipe builds missing');
    expect(inBuildOrder(recipes, ['libseat'])).toEqual(['seatd']);
  });

  it.each([
    ['[]', ['x86_64', 'aarch64']],
    ['[all]', ['x86_64', 'aarch64']],
    ['[all, x86_64]', ['x86_64']],
    ['[x86_64, x86_64]', ['x86_64']],
    ['[riscv64, "${{vars.arch}}"]', ['riscv64', 'x86_64']],
  ])('a recipe for %s is built as melange does', (archs, expected) => {
    const text = `package: { name: one, version: "1", target-architecture: ${archs} }\nvars: { arch: x86_64 }`;
    expect(parseRecipe(text, 'one').archs).toEqual(expected);
  });

  it.each([
    ['amd64', 'x86_64'],
    ['arm64', 'aarch64'],
  ])('refuses a recipe for %s, of which melange builds nothing and succeeds', (wrong, right) => {
    const text = `package: { name: one, version: "1", target-architecture: [${wrong}, s390x] }`;
    expect(() => parseRecipe(text, 'one')).toThrow(
      `one.yaml: melange builds nothing for ${wrong}; write ${right}`,
    );
  });

  it('understands variables, ranges, constraints and provided names', () => {
    const recipe = parseRecipe(
      `package:
  name: thing
  version: 1.2.3
  epoch: 4
  target-architecture: [x86_64]
  dependencies: { provides: ['virtual=\${{package.full-version}}'] }
vars: { major: 1.10 }
environment: { contents: { packages: ['other>=2', 'tagged@local', '!excluded'], keyring: } }
data: [{ name: flavours, items: { one: '1', two: '2' } }]
subpackages:
  - name: \${{package.name}}-\${{vars.major}}-dev
    dependencies: { runtime: ['\${{package.name}}=\${{package.full-version}}'] }
  - range: flavours
    name: thing-\${{range.key}}
`,
      'thing',
    );
    expect(recipe).toMatchObject({
      archs: ['x86_64'],
      build: ['other', 'tagged'],
      packages: [
        { name: 'thing', provides: ['virtual'] },
        { name: 'thing-1.10-dev', runtime: ['thing'] },
        { name: 'thing-one' },
        { name: 'thing-two' },
      ],
    });
  });

  it.each([
    ['${{package.version}}', '^(\\d+)\\.(\\d+).*', '$1.$2', 'thing-1.2'],
    ['${{vars.line}}', '[.]', '_', 'thing-1_x'],
    ['${{vars.line}}', '([.])x', '${1}y', 'thing-1.y'],
    // Go's own.
    ['${{vars.line}}', '(?U)x*', 'y', 'thing-${{vars.made}}'],
    // As melange 0.59.1 prints them.
    ['${{package.version}}', '^(\\d+)\\.(\\d+).*', 'x$1_$2$$', 'thing-x2$'],
    ['${{package.version}}', '(?i)^(?P<major>\\d+)\\.2.*', 'V${major}$0$3', 'thing-V11.2.3'],
    ['${{package.version}}', '.*', 'x${0}x', 'thing-x1.2.3x'],
    ['${{vars.line}}', '(?i)X$', 'y', 'thing-1.y'],
  ])('knows a variable made of %s with %s and %s', (from, match, replace, name) => {
    const text = `package: { name: thing, version: 1.2.3 }
vars: { line: 1.x }
var-transforms: [{ from: '${from}', match: '${match}', replace: '${replace}', to: made }]
subpackages: [{ name: 'thing-\${{vars.made}}' }]`;
    expect(parseRecipe(text, 'thing').packages.map((own) => own.name)).toEqual(['thing', name]);
  });

  it('waits for what a step of a pipeline needs', () => {
    const needs = (name: string) => `[{ needs: { packages: [${name}] }, runs: ${name} }]`;
    const text = `package: { name: a, version: "1" }
pipeline: [{ pipeline: ${needs('one')} }]
test: { pipeline: ${needs('two')} }
subpackages:
  - { name: a-dev, pipeline: ${needs('three')}, test: { pipeline: ${needs('four')} } }`;
    expect(parseRecipe(text, 'a')).toMatchObject({ build: ['one', 'three'], test: ['two', 'four'] });
  });

  it('waits for what each subpackage of a range needs', () => {
    const text = `package: { name: a, version: "1" }
data: [{ name: lines, items: { "3.12": 312, "3.13": "\${{vars.newest}}" } }]
vars: { newest: 313 }
subpackages:
  - range: lines
    name: py\${{range.key}}-a
    pipeline: [{ needs: { packages: ["py\${{range.key}}-b"] }, runs: build }]
    test: { environment: { contents: { packages: ["c-\${{range.value}}"] } }, pipeline: [{ runs: test }] }`;
    expect(parseRecipe(text, 'a')).toMatchObject({
      build: ['py3.12-b', 'py3.13-b'],
      test: ['c-312', 'c-313'],
    });
  });

  it('knows a recipe without an epoch, which melange takes for 0', () => {
    const text = 'package: { name: a, version: "1" }\nsubpackages: [{ name: "a-r${{package.epoch}}" }]';
    expect(parseRecipe(text, 'a').packages).toMatchObject([{ name: 'a' }, { name: 'a-r0' }]);
  });
});

describe('apk-beacon-images', () => {
  const call = (args: readonly string[], input = '') =>
    spawnSync(process.execPath, ['companion/main.ts', ...args], { input, encoding: 'utf8' });

  it('prints the pipeline of the paths that git says have changed', () => {
    const { status, stdout } = call(
      ['images', '--changed', '-', '--publish'],
      'README.md\nimages/niri.yaml\n',
    );
    expect(status).toBe(0);
    expect(parse(stdout)).toEqual(imagePipeline(images, changed('images/niri.yaml'), 'publish'));
  });

  it('prints everything without --changed', () => {
    const { stdout } = call(['packages']);
    expect(Object.keys(parse(stdout) as object)).toContain('build:linux-lts:aarch64');
    // Anchors are what YAML makes of shared objects; nobody wants to read them.
    expect(stdout).not.toMatch(/[&*]a\d/);
  });

  it('prints a definition with its includes merged', () => {
    const { stdout } = call(['show', 'containerd.yaml']);
    expect(parse(stdout)).toMatchObject({ cmd: 'init', annotations: { 'containers.bootc': '1' } });
  });

  /** A repository as others have it: definitions in subfolders, files that are none, a recipe's own YAML. */
  const repository = (files: Readonly<Record<string, string>>): string => {
    const folder = mkdtempSync(join(tmpdir(), 'apk-beacon-images-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    }
    return folder;
  };
  const callIn = (folder: string, ...args: string[]) =>
    spawnSync(process.execPath, [resolve('companion/main.ts'), ...args], { cwd: folder, encoding: 'utf8' });

  it('finds definitions in subfolders, whose includes are relative to the root', () => {
    const folder = repository({
      'wolfi-base.yaml': 'contents: { packages: [busybox] }',
      'bootc.yaml': 'include: wolfi-base.yaml\ncontents: { packages: [bootc=1-r0] }\ncmd: init',
      'desktop/niri.yaml': 'include: bootc.yaml\ncontents: { packages: [niri=26.04-r0] }',
      'experiments/broken.yaml': 'nonsense: true',
      '.yam.yaml': 'indent: 2',
      '.github/workflow.yaml': 'on: push',
    });
    writeFileSync(join(folder, 'changed.txt'), 'bootc.yaml\n');
    const args = ['--folder', '.', '--exclude', 'experiments'];
    const { stdout, stderr } = callIn(folder, 'images', ...args, '--changed', 'changed.txt', '--publish');
    expect(parse(stdout)).toMatchObject({
      'publish:bootc': { variables: { IMAGE: 'bootc' } },
      'publish:desktop/niri': { variables: { IMAGE: 'desktop/niri', VERSION: '26.04-r0' } },
    });
    // Nothing is left out without a word.
    expect(stderr).toMatch(/^wolfi-base.yaml is only included by others and gets no job/);
    expect(callIn(folder, 'list', ...args, '--bases').stdout).toBe(
      'bootc.yaml\ndesktop/niri.yaml\nwolfi-base.yaml\n',
    );
    expect(callIn(folder, 'images', '--folder', '.')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('experiments/broken.yaml: ') as string,
    });
    expect(callIn(folder, 'version', '--folder', '.', 'desktop/niri.yaml').stdout).toBe('26.04-r0\n');
  });

  it('leaves out what --exclude names, and fails if that is not there', () => {
    const folder = repository({
      'images/one.yaml': 'cmd: init',
      'images/demo/two.yaml': 'cmd: init',
      'images/demos.yaml': 'cmd: init',
    });
    const list = (path: string) => callIn(folder, 'list', '--exclude', path);
    for (const path of ['demo', './demo/']) expect(list(path).stdout, path).toBe('demos.yaml\none.yaml\n');
    expect(list('one.yaml').stdout).toBe('demo/two.yaml\ndemos.yaml\n');
    // From the root of the repository, which would leave out nothing.
    expect(list('images/demo')).toMatchObject({
      status: 1,
      stderr: '--exclude images/demo: not in images\n',
    });
  });

  it('takes the recipes of a folder and not what lies beside them', () => {
    const folder = repository({
      'packages/one.yaml': 'package: { name: one, version: "1", epoch: 0 }',
      'packages/one/config.yaml': 'indent: 2',
      'packages/.yam.yaml': 'indent: 2',
      'packages/two.yaml':
        'package: { name: two, version: "1", epoch: 0 }\nenvironment: { contents: { packages: [one, two] } }',
    });
    const { stdout, stderr } = callIn(folder, 'packages');
    expect(Object.keys(parse(stdout) as object).filter((name) => name.startsWith('build:'))).toHaveLength(4);
    expect(stderr).toMatch(/^two: need each other to be built/);
    expect(callIn(folder, 'order').stdout).toBe('one\ntwo\n');
  });

  it('refuses two recipes of one package, unless they are for different archs', () => {
    const recipe = (arch: string) =>
      `package: { name: one, version: "1", epoch: 0, target-architecture: [${arch}] }`;
    const folder = repository({
      'packages/one.yaml': recipe('x86_64'),
      'packages/two.yaml': recipe('aarch64'),
    });
    expect(callIn(folder, 'order').stdout).toBe('one\ntwo\n');
    writeFileSync(join(folder, 'packages/two.yaml'), recipe('all'));
    expect(callIn(folder, 'packages')).toMatchObject({
      status: 1,
      stderr: 'one.yaml and two.yaml both build one for x86_64\n',
    });
  });

  it('refuses a subpackage that two recipes build, not one that a recipe has for each arch', () => {
    const recipe = (name: string, ...subpackages: string[]) =>
      `package: { name: ${name}, version: "1", epoch: 0 }\nsubpackages: [${subpackages.map((own) => `{ name: "${own}" }`).join()}]`;
    const folder = repository({
      'packages/one.yaml': recipe('one', 'libone', 'libone', '${{vars.missing}}-doc'),
      'packages/two.yaml': recipe('two', '${{package.name}}-dev', '${{vars.missing}}-doc'),
    });
    expect(callIn(folder, 'order')).toMatchObject({ status: 0, stdout: 'one\ntwo\n' });
    writeFileSync(join(folder, 'packages/two.yaml'), recipe('two', 'libone'));
    expect(callIn(folder, 'packages')).toMatchObject({
      status: 1,
      stderr: 'one.yaml and two.yaml both build libone for x86_64\n',
    });
  });

  it('ends quietly if nobody reads what it prints', () => {
    const piped = `'${process.execPath}' companion/main.ts packages | true`;
    expect(spawnSync('sh', ['-c', piped], { encoding: 'utf8' }).stderr).not.toContain('EPIPE');
  });

  it('runs as one file, in a folder without dependencies', () => {
    const folder = repository({ 'packages/one.yaml': 'package: { name: one, version: "1", epoch: 0 }' });
    expect(spawnSync(process.execPath, ['companion/build.ts', folder]).status).toBe(0);
    const bundle = join(folder, 'apk-beacon-images.mjs');
    // Half of it would be what never runs of undici.
    expect(statSync(bundle).size).toBeLessThan(1_500_000);
    const { stdout } = spawnSync(process.execPath, [bundle, 'packages'], { cwd: folder, encoding: 'utf8' });
    expect(parse(stdout)).toHaveProperty(['build:one:x86_64']);
  });

  it('orders what an image needs', () => {
    const needed = call(['order', 'containerd.yaml']).stdout.trim().split('\n');
    expect(needed).toEqual(
      expect.arrayContaining(['bootc', 'nori-user', 'linux-lts-initramfs', 'dracut', 'verify-apk']),
    );
    expect(needed).not.toContain('niri');
    expect(call(['order', 'alpine-base.yaml'])).toMatchObject({ status: 0, stdout: '' });
  });

  it.each(['--help', '-h', 'help'])('explains every command and option with %s', (word) => {
    const { status, stdout } = call([word]);
    expect(status).toBe(0);
    const { stderr: usage } = call([]);
    const words = usage.match(/--[a-z-]+|\b(?:images|packages|list|show|version|order)\b/g) ?? [];
    expect(words.filter((each) => !stdout.includes(`  ${each} `))).toEqual(['--help']);
  });

  it.each([
    [[], 'usage: apk-beacon-images'],
    [['lst'], 'unknown command lst; usage: apk-beacon-images'],
    [['list', '--foldr', 'x'], "Unknown option '--foldr'; usage: apk-beacon-images"],
    // The second would have been published.
    [
      ['list', '--exclude', 'niri.yaml', 'bootc.yaml'],
      'unexpected argument bootc.yaml; usage: apk-beacon-images',
    ],
    [['show', 'niri.yaml', 'bootc.yaml'], 'unexpected argument bootc.yaml; usage: apk-beacon-images'],
    [['list', '--folder'], "'--folder <value>' argument missing; usage: apk-beacon-images"],
    [['show', 'missing.yaml'], 'missing.yaml'],
    [['images', '--folder', 'packages'], 'alacritty.yaml: '],
    [['order', 'missing'], 'no recipe builds missing'],
  ])('fails with one line on %j', (args, message) => {
    const { status, stdout, stderr } = call(args);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain(message);
  });
});

describe('the pipelines of deploy/gitlab/images', () => {
  const folder = 'deploy/gitlab/images';
  const load = (file: string) => parse(readFileSync(`${folder}/${file}`, 'utf8')) as Record<string, object>;

  it.each([
    ['images', imagePipeline(images, 'everything', 'verify'), imagePipeline(images, 'everything', 'publish')],
    [
      'packages',
      ...(['verify', 'publish'] as const).map((purpose) =>
        packagePipeline(
          'packages',
          [parseRecipe('package: { name: a, version: "1", epoch: 0 }', 'a')],
          'everything',
          purpose,
        ),
      ),
    ],
  ])('%s: every generated job extends one that is there, in a stage that is there', (name, ...pipelines) => {
    const templates = load(`.gitlab/${name}.yml`);
    const { stages } = templates as unknown as { stages: string[] };
    const stageOf = (job: string): string | undefined => {
      const { stage, extends: base } = (templates[job] ?? {}) as { stage?: string; extends?: string };
      return stage ?? (base === undefined ? undefined : stageOf(base));
    };
    const extended = pipelines.flatMap((pipeline) =>
      Object.values(pipeline).flatMap((job) => ('extends' in job ? [String(job.extends)] : [])),
    );
    expect(extended.length).toBeGreaterThan(2);
    for (const job of extended) expect(stages, job).toContain(stageOf(job));
  });

  it('are not cancelled by the next commit, which publishes other things, except on merge requests', () => {
    const { workflow } = load('.gitlab-ci.yml') as unknown as {
      workflow: { rules: { if: string; auto_cancel?: object }[] };
    };
    expect(workflow.rules.map((rule) => rule.auto_cancel)).toEqual([undefined, { on_new_commit: 'none' }]);
    expect(imagePipeline(images, 'everything', 'verify')['workflow']).not.toHaveProperty('auto_cancel');
    for (const purpose of ['verify', 'publish'] as const) {
      const recipe = parseRecipe('package: { name: a, version: "1", epoch: 0 }', 'a');
      const cancels = packagePipeline('packages', [recipe], 'everything', purpose)['workflow'];
      expect('auto_cancel' in (cancels ?? {})).toBe(purpose === 'publish');
    }
  });

  it('calls only scripts that are there, and the generator as it is called', () => {
    const all = ['.gitlab-ci.yml', '.gitlab/images.yml', '.gitlab/packages.yml'].map((file) =>
      readFileSync(`${folder}/${file}`, 'utf8'),
    );
    const scripts = new Set(all.join('\n').match(/\.gitlab\/[\w-]+\.sh/g));
    expect([...scripts].sort()).toEqual(
      readdirSync(`${folder}/.gitlab`)
        .filter((name) => name.endsWith('.sh'))
        .map((name) => `.gitlab/${name}`),
    );
    expect(all[0]).toMatch(/apk-beacon-images images \$IMAGES_ARGUMENTS \$changed \$purpose/);
  });

  it('never lets the revision of the repository into an image', () => {
    expect(readFileSync(`${folder}/.gitlab/images.yml`, 'utf8')).toMatch(
      /apko_arguments="\$apko_arguments --vcs=false"/,
    );
  });
});
