/**
 * From a published package to the bytes that a host downloads, with real parts: apk-beacon, apko, melange, Renovate, git, a
 * registry, skopeo, PostgreSQL. Only GitLab is played: a receiver that starts Renovate when it is called, and the part of
 * Gitea that Renovate needs. Each test is a link; the first that breaks ends the run. Writes docs/chain.md.
 */
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { standIn } from '../companion/stand-ins.ts';
import { makeFolder } from '../companion/tools.ts';
import { openWorkshop, type Workshop } from '../companion/workshop.ts';
import { until } from '../renovate/support/beacon.ts';
import { startGitea, type Gitea } from '../renovate/support/gitea.ts';
import { allowInternal, extending } from '../renovate/support/preset.ts';
import { signingKey, type ApkPackage } from '../support/apk-repository.ts';
import { addressOf, start, type RunningProcess } from '../support/process.ts';
import { hasPostgres, startPostgres } from '../support/postgres.ts';
import { writeReport, type Measured } from './report.ts';
import {
  freePort,
  Host,
  packagesOf,
  publish,
  publishImage,
  serveFolder,
  startReceiver,
  startRegistry,
  weighed,
  type FolderServer,
  type Receiver,
  type Registry,
} from './parts.ts';

const [OLD, NEW] = ['2.3.4-r5', '2.3.5-r0'];
const NOW = Math.floor(Date.now() / 1000);
const DAY = 86_400;

const folder = makeFolder();
const measured: Measured[] = [];
const began = performance.now();
let broken = false;

let workshop: Workshop;
let repository: FolderServer;
let beacon: RunningProcess;
let url: string;
let gitea: Gitea;
let registry: Registry;
let receiver: Receiver;
let host: Host;
let builds = 0;
/** Resolves with the first call of the receiver, when Renovate has run. */
const triggered = Promise.withResolvers<void>();
let publishedAt = 0;
let made = 0;

const images = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    ['wolfi-base', 'bootc', 'containerd', 'niri', 'pinewall-config'].map((name) => [
      `images/${name}.yaml`,
      readFileSync(`images/${name}.yaml`, 'utf8'),
    ]),
  );
const standInsFolder = join(folder, 'stand-ins');
const secdb = join(folder, 'security.json');
const configFile = join(folder, 'apk-beacon.yaml');
const keys = join(folder, 'keys');

/** What the repository has; newer packages are added to it. */
let extra: readonly ApkPackage[] = [];
const contents = (arch: string): readonly ApkPackage[] => [
  ...packagesOf(arch, NOW - 60 * DAY),
  ...extra.filter((own) => own.arch === arch),
];
const newer = (version: string, arch: string): ApkPackage =>
  weighed(standIn('containerd', version, arch), NOW - 100);

async function release(only?: readonly string[], key = workshop.key): Promise<void> {
  // Each index is newer than the one before, by its own word.
  await publish(standInsFolder, contents, { key, madeAt: NOW + (made += 1), ...(only && { only }) });
}

const publishContainerd = (text: string): Promise<void> =>
  publishImage(join(folder, `build-${(builds += 1)}`), 'containerd', {
    definitions: { 'containerd.yaml': text },
    repositories: [standInsFolder, join(folder, 'built')],
    key: join(folder, workshop.key.name),
    target: `${registry.host}/containerd:latest`,
  });
const ask = async (path: string): Promise<string> => await (await fetch(url + path)).text();
const newest = async (): Promise<string> => (await ask('/wolfi/containerd/latest')).trim();
const fixes = (all: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>): void =>
  writeFileSync(
    secdb,
    JSON.stringify({
      packages: Object.entries(all).map(([name, secfixes]) => ({ pkg: { name, secfixes } })),
    }),
  );
const renovate = (repo: string): ReturnType<Gitea['renovate']> => gitea.renovate(repo, allowInternal(url));
const note = (link: string, what: string, value: string): void => void measured.push({ link, what, value });
const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;

const share = ({ bytes, layers, of, whole }: Awaited<ReturnType<Host['take']>>): string =>
  `${layers} of ${of} layers, ${megabytes(bytes)} of ${megabytes(whole)}: ${((100 * bytes) / whole).toFixed(2)} %`;

function configOf(more: object = {}): string {
  return stringify({
    listen: `127.0.0.1:${new URL(url).port}`,
    publicUrl: url,
    cacheDir: join(folder, 'cache'),
    refresh: '1s',
    notify: { renovate: { url: receiver.url } },
    datasources: {
      wolfi: {
        repositories: [
          { url: `${repository.url}/stand-ins`, maxAge: 'never', keys: [keys] },
          { url: `${repository.url}/built`, maxAge: 'never', keys: [join(folder, workshop.key.name)] },
        ],
        includes: ['wolfi-base.yaml', 'bootc.yaml'],
        advisories: [{ secdb, refresh: '1s' }],
      },
    },
    ...more,
  });
}

beforeAll(async () => {
  workshop = await openWorkshop(folder, (arch) => packagesOf(arch, NOW - 60 * DAY));
  mkdirSync(keys);
  writeFileSync(join(keys, workshop.key.name), workshop.key.publicPem);
  repository = await serveFolder(folder);
  gitea = await startGitea();
  registry = await startRegistry(folder);
  host = new Host(join(folder, 'host'));
  receiver = await startReceiver(() => {
    // The pipeline that the trigger starts. Later calls are of the links that disturb: those ask by themselves.
    if (receiver.told.length > 1) return;
    void renovate('images').then(() => triggered.resolve(), triggered.reject);
  });
  url = `http://127.0.0.1:${await freePort()}`;
  fixes({ curl: { '1-r0': ['CVE-2020-0001'] } });
  writeFileSync(configFile, configOf());
  beacon = start(['--config', configFile]);
});

afterAll(async () => {
  note('the whole chain', 'time', seconds(performance.now() - began));
  await beacon[Symbol.asyncDispose]();
  for (const each of [receiver, registry, gitea, repository]) await each[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
  if (!broken) await writeReport(measured);
});

/** A link of the chain; its time is measured. */
function link(name: string, work: () => Promise<void>): void {
  test(name, { timeout: 120_000 }, async () => {
    const start = performance.now();
    try {
      await work();
    } catch (error) {
      broken = true;
      throw error;
    }
    note(name, 'time', seconds(performance.now() - start));
  });
}

describe('the chain', () => {
  link('1. apk-beacon serves a signed repository', async () => {
    await addressOf(beacon);
    expect(await newest()).toBe(OLD);
    const status = JSON.parse(await ask('/wolfi')) as {
      names: number;
      ledger: object;
      indexes: { verifiedBy: string }[];
    };
    expect(status.names).toBeGreaterThan(250);
    expect(status.ledger).toMatchObject({ store: 'sqlite', kept: true });
    expect(status.indexes.map(({ verifiedBy }) => verifiedBy)).toEqual(Array(4).fill(workshop.key.name));
    note('1. apk-beacon serves a signed repository', 'package names', String(status.names));
  });

  link('2. images/containerd.yaml is built with apko and pushed to a registry', async () => {
    await publishContainerd(readFileSync('images/containerd.yaml', 'utf8'));
    const { bytes, layers } = await host.take(`${registry.host}/containerd:latest`);
    note(
      '2. images/containerd.yaml is built with apko and pushed to a registry',
      'downloaded by a host',
      `${layers} layers, ${megabytes(bytes)}`,
    );
  });

  link('3. Renovate finds nothing to do', async () => {
    await gitea.create('images', { ...images(), 'renovate.json': extending(url) });
    await renovate('images');
    expect(gitea.mergeRequests).toEqual([]);
    // What was asked for is watched from now on.
    await until(async () => {
      const { notifications } = JSON.parse(await ask('/wolfi')) as { notifications: { names: number }[] };
      return (notifications[0]?.names ?? 0) > 0;
    });
  });

  link('4. a version on one arch only is not offered, and explain says why', async () => {
    extra = [newer(NEW, 'x86_64')];
    const generation = async (): Promise<unknown> =>
      (JSON.parse(await ask('/wolfi')) as { generation: string }).generation;
    const before = await generation();
    await release(['x86_64']);
    await until(async () => (await generation()) !== before);
    expect(await newest()).toBe(OLD);
    const explanation = await ask(`/wolfi/containerd/explain?current=${OLD}`);
    expect(explanation).toMatch(new RegExp(`${NEW}[^]*aarch64`));
    expect(receiver.told).toEqual([]);
  });

  link('5. on both archs it is offered, and the receiver is called', async () => {
    extra = [newer(NEW, 'x86_64'), newer(NEW, 'aarch64')];
    await release(['aarch64']);
    publishedAt = performance.now();
    await until(async () => (await newest()) === NEW);
    const answered = performance.now() - publishedAt;
    await until(() => Promise.resolve(receiver.told.length > 0));
    const [{ changes, at } = { changes: [], at: 0 }] = receiver.told;
    expect(changes).toEqual([`containerd ${NEW}`]);
    note(
      '5. on both archs it is offered, and the receiver is called',
      'from publication to answer',
      seconds(answered),
    );
    note(
      '5. on both archs it is offered, and the receiver is called',
      'from publication to call',
      seconds(at - publishedAt),
    );
  });

  link('6. Renovate opens exactly the right merge request', async () => {
    await triggered.promise;
    note(
      '6. Renovate opens exactly the right merge request',
      'from publication to merge request',
      seconds(performance.now() - publishedAt),
    );
    expect(gitea.mergeRequests.map(({ title }) => title)).toEqual([`Update containerd to ${NEW}`]);
    const [request] = gitea.mergeRequests;
    expect(await gitea.diff('images', request?.branch ?? '')).toEqual([
      `-    - containerd=${OLD}`,
      `+    - containerd=${NEW}`,
    ]);
    expect(request?.body).toContain(
      `[\`${OLD}\` → \`${NEW}\`](${url}/wolfi/containerd?current=${OLD}), of 20`,
    );
  });

  link('7. the pipeline names exactly the image to rebuild; apko rebuilds it', async () => {
    const [request] = gitea.mergeRequests;
    const merged = await fetch(`${gitea.url}/api/v1/repos/acme/images/pulls/${request?.number}/merge`, {
      method: 'POST',
      body: '{}',
    });
    expect(merged.status).toBe(200);
    const work = join(folder, 'checkout');
    // Not synchronously: the server answers in this process.
    await promisify(execFile)('git', ['clone', '-q', `${gitea.url}/acme/images.git`, work]);
    const changed = execFileSync('git', ['-C', work, 'diff', '--name-only', 'HEAD~1'], { encoding: 'utf8' });
    writeFileSync(join(work, 'changed.txt'), changed);
    const main = join(import.meta.dirname, '../../companion/main.ts');
    const pipeline = execFileSync(
      process.execPath,
      [main, 'images', '--changed', 'changed.txt', '--publish'],
      {
        cwd: work,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    const jobs = Object.keys(parse(pipeline) as object).filter((name) =>
      /containerd|bootc|niri|pinewall/.test(name),
    );
    expect(jobs.length, pipeline).toBeGreaterThan(0);
    for (const job of jobs) expect(job).toContain('containerd');
    const text = readFileSync(join(work, 'images/containerd.yaml'), 'utf8');
    await publishContainerd(text);
  });

  link('8. a host downloads two layers, as predicted', async () => {
    const taken = await host.take(`${registry.host}/containerd:latest`);
    expect(taken.layers).toBe(2);
    const work = join(folder, 'checkout');
    writeFileSync(
      join(work, 'before.yaml'),
      execFileSync('git', ['-C', work, 'show', 'HEAD~1:images/containerd.yaml'], { encoding: 'utf8' }),
    );
    const files = [join(work, 'before.yaml'), join(work, 'images/containerd.yaml')];
    await using run = start(['delta', ...files, '--json', '--config', configFile, '--cache-dir', 'none']);
    expect(await run.ended, run.lines.join('\n')).toBe(0);
    const { archs: predicted } = JSON.parse(run.lines.join('\n')) as {
      archs: { arch: string; layers: { bytes: number }[] }[];
    };
    const own = predicted.find(({ arch }) => arch === 'x86_64');
    expect(own?.layers).toHaveLength(1);
    // The stand-ins have few files, so the estimate of the top layer, which lists them, is not for them.
    const [layer = 0] = taken.sizes;
    const error = (own?.layers[0]?.bytes ?? 0) / layer - 1;
    expect(Math.abs(error)).toBeLessThan(0.1);
    const name = '8. a host downloads two layers, as predicted';
    note(name, 'downloaded', share(taken));
    const off = `${error < 0 ? '−' : '+'}${Math.abs(100 * error).toFixed(1)} %`;
    note(name, 'the layer of containerd, predicted by `apk-beacon delta`', off);
  });

  link('9. the nano update: a small package is raised', async () => {
    const curl = (arch: string): ApkPackage => weighed(standIn('curl', '1.1-r0', arch), NOW - 50);
    extra = [...extra, curl('x86_64'), curl('aarch64')];
    await release();
    await publishContainerd(readFileSync(join(folder, 'checkout/images/containerd.yaml'), 'utf8'));
    const taken = await host.take(`${registry.host}/containerd:latest`);
    expect(taken.layers).toBe(2);
    expect(taken.bytes / taken.whole).toBeLessThan(0.02);
    note('9. the nano update: a small package is raised', 'downloaded', share(taken));
  });

  link('10. with an age of seven days, Renovate waits', async () => {
    await gitea.create('weekly', {
      ...images(),
      'renovate.json': JSON.stringify({ extends: [`${url}/@7d/renovate.json`] }),
    });
    await renovate('weekly');
    expect(gitea.mergeRequests).toHaveLength(1);
  });

  link('11. a security fix does not wait', async () => {
    fixes({ containerd: { [NEW]: ['CVE-2099-0001'] } });
    await until(async () =>
      (await ask(`/wolfi/containerd/advisories?current=${OLD}`)).includes('CVE-2099-0001'),
    );
    const waits = {
      packageRules: [{ matchPackageNames: ['*'], minimumReleaseAge: '7 days' }],
      internalChecksFilter: 'strict',
    };
    await gitea.create('careful', { ...images(), 'renovate.json': extending(url, waits) });
    await renovate('careful');
    const [, request, ...others] = gitea.mergeRequests;
    expect(others).toEqual([]);
    expect(request?.labels).toContain('security');
    expect(request?.body).toMatch(/\*\*Fixes\*\*.*CVE-2099-0001/);
  });
});

/** What is wrong with the indexes, as `/readyz` tells. */
const problems = async (): Promise<string> => await ask('/readyz');

describe('disturbed', () => {
  const both = (version: string): readonly ApkPackage[] => [
    newer(version, 'x86_64'),
    newer(version, 'aarch64'),
  ];

  link('12. a withdrawn version is replaced', async () => {
    extra = [...extra.filter(({ name }) => name !== 'containerd'), ...both('2.3.6-r0')];
    await release();
    await until(async () => (await newest()) === '2.3.6-r0');
    const { releases } = JSON.parse(await ask(`/wolfi/containerd?current=${NEW}`)) as {
      releases: { version: string; isDeprecated?: boolean }[];
    };
    expect(releases.find(({ version }) => version === NEW)?.isDeprecated).toBe(true);
    expect(releases.at(-1)?.version).toBe('2.3.6-r0');
  });

  link('13. a rolled-back index is held back', async () => {
    const index = join(standInsFolder, 'x86_64', 'APKINDEX.tar.gz');
    const before = readFileSync(index);
    extra = [...extra, ...both('2.3.7-r0')];
    await release();
    await until(async () => (await newest()) === '2.3.7-r0');
    const current = readFileSync(index);
    writeFileSync(index, before);
    await until(async () => (await problems()).includes('index-rollback'));
    expect(await newest()).toBe('2.3.7-r0');
    writeFileSync(index, current);
    await until(async () => !(await problems()).includes('index-rollback'));
  });

  link('14. an index with a bad signature is refused', async () => {
    extra = [...extra, ...both('6.6.6-r0')];
    await release(undefined, signingKey('stranger.rsa.pub'));
    await until(async () => (await problems()).includes('signature-'));
    expect(await newest()).toBe('2.3.7-r0');
    extra = extra.filter(({ version }) => version !== '6.6.6-r0');
    await release();
    await until(async () => !(await problems()).includes('signature-'));
  });

  link('15. an outage and a crash during it change no answer', async () => {
    const before = await ask(`/wolfi/containerd?current=${NEW}`);
    repository.answer = (_request, response) => response.writeHead(503).end();
    await until(async () => (await problems()).includes('answered 503'));
    await beacon[Symbol.asyncDispose]();
    beacon = start(['--config', configFile]);
    await addressOf(beacon);
    expect(await ask(`/wolfi/containerd?current=${NEW}`)).toBe(before);
    repository.answer = undefined;
    await until(async () => !(await problems()).includes('answered 503'));
  });

  link('16. a rotated key is accepted, and the old one no longer', async () => {
    const key = signingKey('next.rsa.pub');
    writeFileSync(join(keys, key.name), key.publicPem);
    extra = [...extra, ...both('2.3.8-r0')];
    await release(undefined, key);
    await until(async () => (await newest()) === '2.3.8-r0');
    rmSync(join(keys, workshop.key.name));
    await release();
    await until(async () => (await problems()).includes('signature-untrusted'));
    expect(await newest()).toBe('2.3.8-r0');
    writeFileSync(join(keys, workshop.key.name), workshop.key.publicPem);
    await release();
    await until(async () => !(await problems()).includes('signature-untrusted'));
  });

  link('17. one of two replicas on one ledger is killed; the other continues and notifies once', async () => {
    expect(hasPostgres).toBe(true);
    await using server = await startPostgres();
    const { address } = await server.schema();
    await using calls = await startReceiver(() => undefined);
    const replica = async (name: string): Promise<{ process: RunningProcess; url: string }> => {
      const file = join(folder, `${name}.yaml`);
      const own = { listen: '127.0.0.1:0', cacheDir: join(folder, name), ledger: address };
      writeFileSync(
        file,
        configOf({ ...own, notify: { renovate: { url: calls.url, names: ['containerd'] } } }),
      );
      const started = start(['--config', file]);
      return { process: started, url: await addressOf(started) };
    };
    const [one, two] = [await replica('one'), await replica('two')];
    const answer = async (from: { url: string }): Promise<string> =>
      await (await fetch(`${from.url}/wolfi/containerd?current=${NEW}`)).text();
    const isWatched = async (from: { url: string }): Promise<boolean> =>
      (await (await fetch(`${from.url}/metrics`)).text()).includes(
        'apk_notify_failing{receiver="renovate"} 0',
      );
    for (const each of [one, two]) {
      expect(await answer(each)).toContain('2.3.8-r0');
      await until(() => isWatched(each));
    }
    expect(await answer(two)).toBe(await answer(one));
    extra = [...extra, ...both('2.3.9-r0')];
    await release();
    await one.process[Symbol.asyncDispose]();
    await until(async () => (await answer(two)).includes('2.3.9-r0'));
    await until(() => Promise.resolve(calls.told.length > 0));
    const again = await replica('one');
    await until(async () => (await answer(again)).includes('2.3.9-r0'));
    expect(await answer(again)).toBe(await answer(two));
    const told = new Map(calls.told.map(({ id, changes }) => [id, changes]));
    expect([...told.values()]).toEqual([['containerd 2.3.9-r0']]);
    for (const each of [again, two]) await each.process[Symbol.asyncDispose]();
  });
});
