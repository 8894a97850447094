/**
 * The cost of the preset's managers for Dockerfiles compared with Renovate's own manager, which reads every Dockerfile
 * anyway. Both extract the same 400 files, in turns. 247 public Dockerfiles with `apk add` had 296 literal pins, 1.2
 * per file; most had none. The share of Dockerfiles without `apk add` is unknown, so both kinds are measured, and files
 * with more pins. Needs the real Renovate (`.ci/renovate`). RENOVATE_X_IGNORE_RE2=true uses JavaScript's regular
 * expressions.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { renovatePreset } from '../src/renovate/preset.ts';

const FILES = 400;
const ROUNDS = 3;
/** The pins in ten files with `apk add`, 12 in total. */
const USUAL = [0, 0, 1, 0, 0, 4, 0, 0, 7, 0];
const DENSE = [3];

interface Manager {
  extractPackageFile(content: string, file: string, config: object): unknown;
}

const dist = fileURLToPath(new URL('../.cache/renovate/node_modules/renovate/dist/', import.meta.url));
if (!existsSync(dist)) throw new Error('Renovate is not installed: run .ci/renovate');
const load = async <T>(path: string): Promise<T> => (await import(dist + path)) as T;
const own = await load<Manager>('modules/manager/dockerfile/index.js');
const regex = await load<Manager>('modules/manager/custom/regex/index.js');
const { regexEngineStatus } = await load<{ regexEngineStatus: { type: string } }>('util/regex.js');

const url = 'http://apk-beacon:3000';
const managers = renovatePreset({ url, names: ['wolfi', 'alpine'], isPart: false }).customManagers.filter(
  ({ managerFilePatterns }) => JSON.stringify(managerFilePatterns).includes('ocker'),
);

const TAGGED =
  'RUN echo "@edge https://dl-cdn.alpinelinux.org/alpine/edge/community" >> /etc/apk/repositories';

/**
 * A typical Dockerfile: 20 to 70 lines, one to three stages; every `share`-th has `apk add` in its first stage, and
 * `before` in front of it.
 */
function dockerfile(i: number, share: number, pinned: readonly number[], before: readonly string[]): string {
  const stages = Array.from({ length: 1 + (i % 3) }, (_, stage) => {
    const hasAdd = stage === 0 && i % share === 0;
    const packages = Array.from({ length: hasAdd ? 8 : 0 }, (_, at) =>
      at < (pinned[(i / share) % pinned.length] ?? 0)
        ? `        package-${at}=1.${i}.${at}-r${stage}`
        : `        package-${at}`,
    );
    const from =
      stage === 0
        ? 'FROM ${REGISTRY}/node:24-alpine3.22 AS build'
        : `FROM alpine:3.2${i % 5} AS stage${stage}`;
    const add =
      packages.length > 0
        ? [...before, `RUN set -eux; apk add --no-cache \\`, packages.join(' \\\n'), '']
        : ['RUN npm ci && npm run build', ''];
    const rest = Array.from({ length: 4 + (i % 9) }, (_, line) =>
      line % 3 === 0
        ? `COPY --from=build --chown=1000:1000 /src/${line} /app/${line}`
        : `RUN mkdir -p /var/lib/app/${line} && chown -R 1000:1000 /var/lib/app/${line}`,
    );
    return [
      from,
      `ARG TOOL_VERSION=1.${i}.0`,
      'ENV PATH=/app/bin:$PATH \\',
      '    NODE_ENV=production',
      ...add,
      ...rest,
    ];
  });
  return [
    '# syntax=docker/dockerfile:1',
    'ARG REGISTRY=docker.io/library',
    ...stages.flat(),
    'CMD ["/app/bin/run"]',
    '',
  ].join('\n');
}

/** Milliseconds of CPU time, which other programs on the machine hardly affect. */
function time(work: () => void): number {
  const began = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1000;
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

print(
  `regular expressions of ${regexEngineStatus.type === 'available' ? 'RE2' : 'JavaScript'}, ${FILES} files, median of ${ROUNDS} rounds`,
);
for (const [share, pinned, before] of [
  [1, USUAL, []],
  [2, USUAL, []],
  [1, DENSE, []],
  [1, USUAL, [TAGGED]],
] as const) {
  const files = Array.from({ length: FILES }, (_, i) => dockerfile(i, share, pinned, before));
  const pins = files.join('').match(/package-\d+=/g)?.length ?? 0;
  const theirs: number[] = [];
  const ours: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    theirs.push(time(() => files.forEach((content) => own.extractPackageFile(content, 'Dockerfile', {}))));
    ours.push(
      time(() => {
        for (const config of managers)
          for (const content of files) regex.extractPackageFile(content, 'Dockerfile', { ...config });
      }),
    );
  }
  const [t, o] = [median(theirs), median(ours)];
  const ratio = median(ours.map((each, i) => each / (theirs[i] ?? 1)));
  print(
    `${pins} pins, \`apk add\` in ${FILES / share} files${before.length > 0 ? ' that add a repository' : ''}: Renovate's own manager ${t.toFixed(0)} ms, the preset's ${managers.length} managers ${o.toFixed(0)} ms, ratio ${ratio.toFixed(2)}`,
  );
}
