/**
 * 4,000 generated files, read by the real Renovate's own managers in this process. The generator knows the right
 * datasource of each pin, if any. Files are random combinations of the shapes in `test/fixtures/routing/`.
 */
import { describe, expect, test } from 'vitest';
import { renovatePreset, type PresetRule } from '../../src/renovate/preset.ts';
import { parsePinContext } from '../../src/routing/pin-context.ts';
import { createRouter, type RoutingSource } from '../../src/routing/route.ts';
import { Random } from '../support/random.ts';
import { renovateSources } from './support/install.ts';

interface Dependency {
  readonly depName: string;
  readonly currentValue: string;
  readonly registryUrls?: readonly string[];
}

interface Manager {
  extractPackageFile(
    content: string,
    file: string,
    config: object,
  ): { deps: Dependency[] } | null | Promise<{ deps: Dependency[] } | null>;
}

const load = async (path: string): Promise<Manager> => (await import(renovateSources() + path)) as Manager;
const regex = await load('modules/manager/custom/regex/index.js');
const jsonata = await load('modules/manager/custom/jsonata/index.js');
const managerOf = ({ customType }: PresetRule): Manager => (customType === 'regex' ? regex : jsonata);

const cdn = 'https://dl-cdn.alpinelinux.org/alpine';
const os = 'https://packages.wolfi.dev/os';
const source = (name: string, repositories: readonly string[], more: Partial<RoutingSource> = {}) => ({
  ...{ name, repositories, archs: ['x86_64'], images: [], includes: [], scripts: [], asksUnknown: false },
  ...more,
});
const sources: readonly RoutingSource[] = [
  source('wolfi', [os], { images: ['ghcr.io/acme/base/*'], includes: ['wolfi-base.yaml'] }),
  ...['v3.22', 'v3.24', 'edge'].map((branch) =>
    source(`alpine-${branch.replace('v', '')}`, [`${cdn}/${branch}/main`, `${cdn}/${branch}/community`]),
  ),
];
const route = createRouter(sources);
const preset = renovatePreset({
  url: 'http://apk-beacon:3000',
  names: sources.map(({ name }) => name),
  isPart: false,
});

/** The pins that Renovate finds, and the datasource that the service asks: `name value datasource`, `-` for none. */
async function found(path: string, content: string): Promise<readonly string[]> {
  const own = preset.customManagers.filter((each) => patternsOf(each).some((pattern) => pattern.test(path)));
  const all: ({ deps: Dependency[] } | null)[] = [];
  for (const config of own)
    all.push(await managerOf(config).extractPackageFile(content, path, { ...config }));
  return all
    .flatMap((each) => each?.deps ?? [])
    .map(({ depName, currentValue, registryUrls }) => {
      const url = new URL(registryUrls?.[0] ?? '');
      expect(url.href.length, url.href).toBeLessThan(8192);
      const answer = route(parsePinContext(Object.fromEntries(url.searchParams)));
      return `${depName} ${currentValue} ${'datasource' in answer ? answer.datasource : '-'}`;
    });
}

function patternsOf({ managerFilePatterns }: PresetRule): readonly RegExp[] {
  return (managerFilePatterns as readonly string[]).map((pattern) => new RegExp(pattern.slice(1, -1)));
}

interface Made {
  readonly content: string;
  readonly expected: readonly string[];
}

/** Where the pins of a stage go: without a tag, and with `@edge`. */
interface Place {
  readonly plain: string;
  readonly edge: string;
}

const digest = `@sha256:${'0123456789abcdef'.repeat(4)}`;
const images: readonly (readonly [image: string, datasource: string])[] = [
  ['alpine:3.22', 'alpine-3.22'],
  ['docker.io/library/alpine:3.24', 'alpine-3.24'],
  [`alpine:3.22.1${digest}`, 'alpine-3.22'],
  ['alpine:edge', 'alpine-edge'],
  ['node:24-alpine3.22', 'alpine-3.22'],
  ['registry.example.com:5000/mirror/golang:1.26-alpine3.24', 'alpine-3.24'],
  ['cgr.dev/chainguard/wolfi-base', 'wolfi'],
  ['ghcr.io/acme/base/python:3', 'wolfi'],
  ['golang:1.26-alpine3.20', '-'],
  ['alpine:3.18', '-'],
  ['node:24-alpine', '-'],
  ['debian:12', '-'],
  ['ghcr.io/other/app:1', '-'],
  ['${MISSING}', '-'],
  ['scratch', '-'],
];
const versions = ['1.0-r0', '2.49.1-r10', '1.2.3_git20250101-r0', '1.1.1w-r1', '0.9_rc1-r2', '3.4'];

class Maker {
  readonly #random: Random;
  readonly #expected: string[] = [];
  #count = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** One of `among` times. */
  #is(among: number): boolean {
    return this.#random.integer(among) === 0;
  }

  /** A word of `apk add`, and what is to be found in it. */
  #word(place: Place, canBeQuoted: boolean, canBeTagged: boolean): string {
    const name = `${this.#random.pick(['lib', 'py3-', 'so:x', 'c++'])}${(this.#count += 1)}`.replace(
      'c++',
      'c++-',
    );
    const version = this.#random.pick(versions);
    const expect = (value: string, datasource = place.plain): void =>
      void this.#expected.push(`${name} ${value} ${datasource}`);
    const form = this.#random.integer(canBeQuoted ? 14 : 9);
    switch (form >= 5 && form <= 7 && !canBeTagged ? 8 : form) {
      case 0:
        return name;
      case 1:
        return `${name}>${version}`;
      case 2:
        expect(`~${version}`);
        return `${name}=~${version}`;
      case 3:
        expect(`~${version}`);
        return `${name}~${version}`;
      case 4:
        expect(version);
        return `${name}==${version}`;
      case 5:
        expect(version, place.edge);
        return `${name}@edge=${version}`;
      case 6:
        expect(version, place.edge);
        return `${name}=${version}@edge`;
      case 7:
        expect(version, '-');
        return `${name}@nobody=${version}`;
      case 9:
        expect(version);
        return `"${name}=${version}"`;
      case 10:
        expect(version);
        return `'${name}=${version}'`;
      case 11:
        expect(version);
        return `${name}="${version}"`;
      default:
        expect(version);
        return `${name}=${version}`;
    }
  }

  #words(place: Place, canBeQuoted = true, canBeTagged = true): readonly string[] {
    const length = 1 + this.#random.integer(4);
    return Array.from({ length }, () => this.#word(place, canBeQuoted, canBeTagged));
  }

  #command(place: Place): string {
    const words = (canBeQuoted = true): string => this.#words(place, canBeQuoted).join(' ');
    const lines = (): string => this.#words(place).join(' \\\n        ');
    switch (this.#random.integer(14)) {
      case 0:
        return `RUN apk add --no-cache ${words()}`;
      case 1:
        return `RUN apk update && apk add \\\n        ${lines()} && rm -rf /tmp/x=1.0-r0`;
      case 2:
        return `RUN set -eux; \\\n    apk add -U --virtual .build \\\n        # not=1.0-r0\n        ${lines()} \\\n\n    ; apk del gone=1.0-r0`;
      case 3:
        return `RUN sh -c "apk add ${words(false)}"`;
      case 4:
        return `RUN /sbin/apk --no-cache add ${words()}`;
      case 5:
        return `RUN <<EOF\napk add ${words()}\nEOF`;
      case 6:
        return `RUN if true; then apk add ${words()}; else apk add ${words()}; fi`;
      case 7: {
        const edge = { plain: 'alpine-edge', edge: 'alpine-edge' };
        return `RUN apk add -X ${cdn}/edge/main ${this.#words(edge, true, false).join(' ')}`;
      }
      case 8:
        return `run apk add ${words()}`;
      case 9:
        return `ONBUILD RUN apk add ${words()}`;
      case 10:
        return `RUN --mount=type=cache,target=/var/cache/apk apk add ${words()}`;
      case 11:
        return `  RUN\tapk\tadd\t${words()}`;
      case 12:
        return this.#variable(place);
      default:
        return `RUN apk add ${words()} # other=1.0-r0`;
    }
  }

  #variable({ plain }: Place): string {
    const count = (this.#count += 1);
    const version = this.#random.pick(versions);
    const use = this.#random.pick([`$V${count}`, `\${V${count}}`]);
    const quote = this.#random.pick(['', '"']);
    this.#expected.push(`var${count} ${version} ${plain}`);
    return `${this.#random.pick(['ARG', 'ENV'])} V${count}=${version}\nRUN apk add ${quote}var${count}=${use}${quote}`;
  }

  #noise(): string {
    return this.#random.pick([
      '# RUN apk add not=1.0-r0',
      'RUN echo "apk add not=1.0-r0"',
      "RUN printf 'apk add not=1.0-r0'",
      'ENV NOT=1.0-r0 PATH=/app/bin:$PATH',
      'LABEL install="apk add not=1.0-r0"',
      'RUN pip install not==1.0',
      'RUN apt-get install -y not=1.0-r0',
      'COPY --from=build --chown=1000:1000 /a=1.0-r0 /b',
      'RUN apk del not=1.0-r0',
      'RUN apk info not',
      'RUN addgroup -S not=1.0-r0',
      "RUN sed -i 's/dl-cdn.alpinelinux.org/mirrors.aliyun.com/' /etc/apk/repositories",
      'RUN wget https://example.com/a/main/x=1.0-r0',
      `RUN python3 - <<EOF\nfrom os import path${(this.#count += 1)}\nEOF`,
      'CMD ["apk", "add", "not=1.0-r0"]',
      '',
    ]);
  }

  /** A line that changes the repositories of a stage, and where its pins go then. */
  #repositories(place: Place): readonly [line: string, place: Place] {
    const list = '/etc/apk/repositories';
    switch (this.#random.integer(16)) {
      case 0:
      case 1:
        return [`RUN echo '@edge ${cdn}/edge/main' >> ${list}`, { ...place, edge: 'alpine-edge' }];
      case 2:
        return [`RUN echo "${cdn}/v3.24/main" > ${list}`, { plain: 'alpine-3.24', edge: '-' }];
      case 3:
        return [`RUN sed -i 's/v3.22/edge/' ${list}`, { plain: '-', edge: '-' }];
      case 4:
        return [`COPY repositories ${list}`, { plain: '-', edge: '-' }];
      default:
        return ['', place];
    }
  }

  dockerfile(): Made {
    const head: string[] = this.#is(3) ? ['# syntax=docker/dockerfile:1', ''] : [];
    const stages: { name: string; place: Place; edited: boolean }[] = [];
    const body: string[] = [];
    for (let left = 1 + this.#random.integer(4); left > 0; left -= 1) {
      const parent = stages.length > 0 && this.#is(3) ? this.#random.pick(stages) : undefined;
      const [image, datasource] = this.#random.pick(images);
      let text = parent ? this.#random.pick([parent.name, parent.name.toUpperCase()]) : image;
      if (!parent && this.#is(4)) {
        head.push(`ARG BASE${stages.length}=${this.#random.pick([image, `"${image}"`])}`);
        text = this.#random.pick([`$BASE${stages.length}`, `\${BASE${stages.length}}`]);
      }
      let place = parent?.place ?? { plain: datasource, edge: '-' };
      const name = `stage${stages.length}`;
      const platform = this.#is(5) ? '--platform=$BUILDPLATFORM ' : '';
      body.push(
        `${this.#random.pick(['FROM', 'FROM', 'from'])} ${platform}${text} ${this.#random.pick(['AS', 'as'])} ${name}`,
      );
      const [line, changed] = parent?.edited ? ['', place] : this.#repositories(place);
      const isEdited = changed.plain !== place.plain;
      place = changed;
      body.push(line);
      stages.push({ name, place, edited: isEdited || parent?.edited === true });
      for (let lines = this.#random.integer(5); lines > 0; lines -= 1)
        body.push(this.#is(2) ? this.#noise() : this.#command(place));
    }
    const content = [...head, ...body, ''].join('\n');
    return { content: this.#is(8) ? content.replaceAll('\n', '\r\n') : content, expected: this.#expected };
  }

  definition(): Made {
    const [repositories, datasource] = this.#random.pick<readonly [readonly string[], string]>([
      [[os], 'wolfi'],
      [[`${os}/`], 'wolfi'],
      [[`${cdn}/v3.24/main`, `${cdn}/v3.24/community`], 'alpine-3.24'],
      [[`${cdn}/v3.22/community`], 'alpine-3.22'],
      [['http://dl-3.alpinelinux.org/alpine/edge/main'], 'alpine-edge'],
      [[`${cdn}/v3.18/main`], '-'],
      [[`${cdn}/v3.22/main`, `${cdn}/v3.24/main`], '-'],
      [[os, 'https://apks.example.com/other'], '-'],
      [['./packages'], '-'],
      [[], '-'],
    ]);
    const isTagged = this.#is(4);
    const isIncluding = repositories.length === 0 && this.#is(2);
    const place = {
      plain: isIncluding ? 'wolfi' : datasource,
      edge: isTagged ? 'alpine-edge' : '-',
    };
    const listed = [...repositories, ...(isTagged ? [`"@edge ${cdn}/edge/main"`] : [])];
    const words = this.#words(place, false).map((word) =>
      this.#random.pick([word, `"${word}"`, `'${word}'`, `${word} # not=1.0-r0`]),
    );
    const lines = [
      ...(isIncluding ? ['include: base/wolfi-base.yaml'] : []),
      'contents:',
      ...(listed.length > 0 ? ['  repositories:', ...listed.map((each) => `    - ${each}`)] : []),
      '  packages:',
      ...words.map((each) => `    - ${each}`),
      'environment:',
      '  not: a=1.0-r0',
      '',
    ];
    return { content: lines.join('\n'), expected: this.#expected };
  }
}

/** In YAML a value keeps the operator it has: `=~1.2` and `~1.2`. */
const comparable = (pins: readonly string[]): readonly string[] =>
  pins.map((pin) => pin.replace(' =~', ' ~')).toSorted();

/** One in eight, unless all 4,000 are asked for with APK_BEACON_THOROUGH=1. */
const PART = process.env['APK_BEACON_THOROUGH'] === '1' ? 1 : 1 / 8;

describe.each([
  ['Dockerfiles', 3200 * PART, 'Dockerfile', (seed: number) => new Maker(seed).dockerfile()],
  ['definitions', 800 * PART, 'image.yaml', (seed: number) => new Maker(seed).definition()],
] as const)('%s', (_, count, path, make) => {
  test(
    'have all their literal pins found, and looked up in their datasources',
    { timeout: 900_000 },
    async () => {
      let pins = 0;
      let asked = 0;
      for (let seed = 1; seed <= count; seed += 1) {
        const { content, expected } = make(seed);
        const wanted = comparable(expected);
        expect(comparable(await found(path, content)), `seed ${seed}\n${content}`).toEqual(wanted);
        pins += wanted.length;
        asked += wanted.filter((pin) => !pin.endsWith(' -')).length;
      }
      process.stderr.write(`${count} ${path}: ${pins} pins, ${asked} asked\n`);
      expect(pins).toBeGreaterThan(count);
      expect(asked).toBeGreaterThan(count / 2);
    },
  );
});
