import { describe, expect, test } from 'vitest';
import { changesOf, excerptOf, IMAGE_LINES, IMAGE_LINES_KEPT } from '../../src/routing/excerpt.ts';
import { parsePinContext, type ContextParameters } from '../../src/routing/pin-context.ts';
import { createRouter, type RoutingSource } from '../../src/routing/route.ts';

const cdn = 'https://dl-cdn.alpinelinux.org/alpine';
const source = (
  name: string,
  repositories: readonly string[],
  more: Partial<RoutingSource> = {},
): RoutingSource => ({
  name,
  repositories,
  archs: ['x86_64', 'aarch64'],
  images: [],
  includes: [],
  scripts: [],
  asksUnknown: false,
  ...more,
});
const wolfi = source('wolfi', ['https://packages.wolfi.dev/os']);
const chainguard = source('chainguard', ['https://apk.cgr.dev/chainguard']);
const alpine = (branch: string, more: readonly string[] = [], name = `alpine-${branch}`): RoutingSource =>
  source(name, [`${cdn}/${branch}/main`, `${cdn}/${branch}/community`, ...more]);
const several = [wolfi, alpine('v3.22'), alpine('v3.24'), alpine('edge', [`${cdn}/edge/testing`])];

/** The name of the datasource, or `-`. */
function routed(parameters: ContextParameters, sources: readonly RoutingSource[] = several): string {
  const route = createRouter(sources)(parsePinContext(parameters));
  return 'datasource' in route ? route.datasource : '-';
}
const reason = (parameters: ContextParameters, sources: readonly RoutingSource[] = several): string => {
  const route = createRouter(sources)(parsePinContext(parameters));
  return 'noOpinion' in route ? route.noOpinion : `looked up in ${route.datasource}`;
};
/** A pin in the last stage of a Dockerfile. */
const inDockerfile = (file: string, more: ContextParameters = {}): ContextParameters => ({
  kind: 'dockerfile',
  file: excerptOf(file),
  ...more,
});
const listing = (...repositories: string[]): ContextParameters => ({
  kind: 'definition',
  repositories: repositories.join('\n'),
});

const downloads = 'https://downloads.openwrt.org/releases';
const openwrt = (release: string, [target, subtarget]: [string, string], arch: string): RoutingSource =>
  source(`openwrt-${release}-${target}`, [
    `${downloads}/${release}/targets/${target}/${subtarget}/packages/packages.adb`,
    ...['base', 'luci', 'packages'].map(
      (feed) => `${downloads}/${release}/packages/${arch}/${feed}/packages.adb`,
    ),
  ]);
const devices = [
  ...several,
  openwrt('25.12.1', ['x86', '64'], 'x86_64'),
  openwrt('25.12.0', ['x86', '64'], 'x86_64'),
  openwrt('25.12.1', ['mediatek', 'filogic'], 'aarch64_cortex-a53'),
  source('other', ['https://apks.example.com/os'], { asksUnknown: true }),
];

describe('an image of OpenWrt', () => {
  test.each([
    ['openwrt/rootfs:x86-64-v25.12.1', 'openwrt-25.12.1-x86'],
    ['openwrt/rootfs:x86-64-25.12.0', 'openwrt-25.12.0-x86'],
    ['ghcr.io/openwrt/rootfs:x86_64-v25.12.1', 'openwrt-25.12.1-x86'],
    ['docker.io/openwrt/imagebuilder:mediatek-filogic-v25.12.1', 'openwrt-25.12.1-mediatek'],
    ['openwrt/rootfs:aarch64_cortex-a53-v25.12.1', 'openwrt-25.12.1-mediatek'],
    // Nobody's, also not of who takes what is unknown:
    ['openwrt/rootfs:x86-64-v25.12.2', '-'],
    ['openwrt/rootfs:ramips-mt7621-v25.12.1', '-'],
    ['openwrt/rootfs:x86-64-25.12-SNAPSHOT', '-'],
    ['openwrt/rootfs:x86-64', '-'],
    ['openwrt/rootfs', '-'],
  ])('%s: %s', (image, datasource) => {
    expect(routed(inDockerfile(`FROM ${image}\nRUN apk add curl=1`), devices)).toBe(datasource);
  });

  test('a datasource of two releases is of neither', () => {
    const [one, two] = [
      openwrt('25.12.1', ['x86', '64'], 'x86_64'),
      openwrt('25.12.0', ['x86', '64'], 'x86_64'),
    ];
    const mixed = source('mixed', [...one.repositories, ...two.repositories]);
    expect(reason(inDockerfile('FROM openwrt/rootfs:x86-64-v25.12.1\nRUN apk add curl=1'), [mixed])).toBe(
      'no datasource has OpenWrt 25.12.1 for x86-64, which the image openwrt/rootfs:x86-64-v25.12.1 needs',
    );
  });
});

describe('an image', () => {
  test.each([
    ['alpine:3.22', 'alpine-v3.22'],
    ['alpine:3.22.1', 'alpine-v3.22'],
    ['alpine:3.22@sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1', 'alpine-v3.22'],
    ['docker.io/alpine:3.22', 'alpine-v3.22'],
    ['docker.io/library/alpine:3.22', 'alpine-v3.22'],
    ['arm64v8/alpine:3.22', 'alpine-v3.22'],
    ['public.ecr.aws/docker/library/alpine:3.22', 'alpine-v3.22'],
    ['registry.example.com:5000/library/alpine:3.24', 'alpine-v3.24'],
    ['alpine:edge', 'alpine-edge'],
    ['alpine:20260127', 'alpine-edge'],
    ['node:24-alpine3.22', 'alpine-v3.22'],
    ['ghcr.io/linuxserver/baseimage-alpine:3.22', 'alpine-v3.22'],
    ['lscr.io/linuxserver/baseimage-alpine-nginx:arm64v8-3.22-1a2b3c4d-ls5', 'alpine-v3.22'],
    ['linuxserver/baseimage-alpine:edge', 'alpine-edge'],
    ['linuxserver/baseimage-alpine:latest', '-'],
    ['linuxserver/baseimage-ubuntu:noble', '-'],
    ['ghcr.io/home-assistant/amd64-base:3.22', 'alpine-v3.22'],
    ['ghcr.io/home-assistant/base:3.22-2026.02.0', 'alpine-v3.22'],
    ['ghcr.io/home-assistant/amd64-base-debian:trixie', '-'],
    ['golang:1.26-alpine-3.24', 'alpine-v3.24'],
    ['php:8.4-fpm-alpine3.22-slim', 'alpine-v3.22'],
    ['cgr.dev/chainguard/wolfi-base', 'wolfi'],
    ['cgr.dev/acme.com/node:24', 'wolfi'],
    ['ghcr.io/wolfi-dev/sdk:latest', 'wolfi'],
    ['mirror.example.com/wolfi-base@sha256:4bcf', 'wolfi'],
    // Nobody's:
    ['alpine', '-'],
    ['alpine:latest', '-'],
    ['alpine:3', '-'],
    ['alpine:3.2', '-'],
    ['alpine:3.220', '-'],
    ['alpine:3.18', '-'],
    ['alpine@sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1', '-'],
    ['node:24-alpine', '-'],
    ['golang:1.26-alpine3.20', '-'],
    ['golang:1.22-bookworm', '-'],
    ['acme/app-alpine:3.22', '-'],
    ['acme/notalpine:3.22', '-'],
    ['3.22', '-'],
    ['scratch', '-'],
    ['acme/alpine-base:3.22', '-'],
    ['dhi.io/alpine-base:3.22', '-'],
  ])('%s → %s', (image, datasource) => {
    expect(routed(inDockerfile(`FROM ${image}\n`))).toBe(datasource);
  });

  test('of Chainguard goes to Chainguard if that is configured', () => {
    const both = [wolfi, chainguard];
    expect(routed(inDockerfile('FROM cgr.dev/chainguard/node'), both)).toBe('chainguard');
    expect(routed(inDockerfile('FROM cgr.dev/chainguard/wolfi-base'), both)).toBe('wolfi');
    expect(routed(inDockerfile('FROM cgr.dev/chainguard/wolfi-base'), [chainguard])).toBe('chainguard');
  });

  test("that is hardened is of Alpine with Docker's repository", () => {
    const hardened = alpine('v3.22', ['https://dhi.io/apk/alpine/v3.22/main'], 'hardened');
    const images = [
      'dhi.io/node:24-alpine3.22-dev',
      'docker.io/acme/dhi-node:24-alpine3.22-dev',
      'dhi.io/alpine-base:3.22-dev',
      'dhi.io/alpine-base:3.22@sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1',
      'acme/dhi-alpine-base:3.22-alpine3.22-dev',
    ];
    for (const image of images) {
      expect(routed(inDockerfile(`FROM ${image}`), [...several, hardened])).toBe('hardened');
      expect(reason(inDockerfile(`FROM ${image}`))).toBe(
        "the image's datasource does not also have dhi.io/apk/alpine/v3.22/main",
      );
    }
    expect(routed(inDockerfile('FROM alpine:3.22'), [hardened, ...several])).toBe('alpine-v3.22');
    const asking = [{ ...alpine('v3.22'), asksUnknown: true }];
    expect(routed(inDockerfile('FROM node:24-alpine'), asking)).toBe('alpine-v3.22');
    expect(routed(inDockerfile('FROM dhi.io/node:24-alpine-dev'), asking)).toBe('-');
  });

  test('that moves is of latest-stable, if that is configured', () => {
    const latest = [...several, alpine('latest-stable')];
    for (const image of ['alpine', 'alpine:latest', 'alpine:3'])
      expect(routed(inDockerfile(`FROM ${image}`), latest)).toBe('alpine-latest-stable');
    expect(routed(inDockerfile('FROM alpine:3.22'), [alpine('latest-stable')])).toBe('-');
    // A digest is of a branch that it does not name.
    const digest = 'sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1';
    expect(reason(inDockerfile(`FROM alpine@${digest}`), latest)).toBe(
      `the image alpine@${digest} does not name a branch of Alpine`,
    );
    expect(routed(inDockerfile(`FROM alpine:latest@${digest}`), latest)).toBe('alpine-latest-stable');
  });

  test.each([
    [['ghcr.io/acme/base'], 'ghcr.io/acme/base:1.2', 'wolfi'],
    [['ghcr.io/acme/base'], 'ghcr.io/acme/base@sha256:4bcf', 'wolfi'],
    [['ghcr.io/acme/base'], 'ghcr.io/acme/base/x', '-'],
    [['ghcr.io/acme/base:1'], 'ghcr.io/acme/base:1.2', '-'],
    [['ghcr.io/acme/base:1.*'], 'ghcr.io/acme/base:1.2', 'wolfi'],
    [['ghcr.io/acme/*'], 'ghcr.io/acme/base/python:3', 'wolfi'],
    [['docker.io/library/alpine:3.24'], 'alpine:3.24', 'wolfi'],
    [['localhost:5000/base'], 'localhost:5000/base:1', 'wolfi'],
    [['*'], 'anything/at:all', 'wolfi'],
  ])('images: %j and %s → %s', (images, image, datasource) => {
    expect(routed(inDockerfile(`FROM ${image}`), [{ ...wolfi, images }, ...several.slice(1)])).toBe(
      datasource === '-' ? '-' : 'wolfi',
    );
  });

  test.each([
    ['${CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX}/alpine:3.22', 'alpine-v3.22'],
    ['$CI_DEPENDENCY_PROXY_DIRECT_GROUP_IMAGE_PREFIX/library/node:24-alpine3.24', 'alpine-v3.24'],
    ['${CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX}/alpine:$TAG', '-'],
    ['$REGISTRY/base:3.22', 'wolfi'],
    ['${REGISTRY}/base:$TAG', '-'],
    ['$REGISTRY/alpine:3.22', '-'],
    ['$BASE', '-'],
  ])('an ARG without a default in %s → %s: patterns match the text as written', (image, datasource) => {
    const sources = [{ ...wolfi, images: ['*/base:3.22'] }, ...several.slice(1)];
    const args = 'ARG CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX\nARG REGISTRY\nARG TAG\n';
    expect(routed(inDockerfile(`${args}FROM ${image}`), sources)).toBe(datasource);
    const script = { kind: 'script', path: '.gitlab-ci.yml', images: `\n  image: ${image}` };
    expect(routed(script, sources)).toBe(datasource);
  });

  test('goes by the longest pattern, whatever the order', () => {
    const sources = [
      { ...wolfi, images: ['ghcr.io/acme/*'] },
      { ...alpine('v3.22'), images: ['ghcr.io/acme/base:*'] },
    ];
    for (const order of [sources, sources.toReversed()]) {
      expect(routed(inDockerfile('FROM ghcr.io/acme/base:1'), order)).toBe('alpine-v3.22');
      expect(routed(inDockerfile('FROM ghcr.io/acme/other:1'), order)).toBe('wolfi');
    }
  });
});

describe('a mirror', () => {
  test.each([
    ['http://127.0.0.1:3919/alpine/v3.22/main', 'FROM alpine:3.22', 'x'],
    ['https://mirror.example.com/v3.22/main', 'FROM alpine:3.22', 'x'],
    ['https://user:secret@nexus.example.com/repository/alpine/v3.22/main/', 'FROM alpine:3.22', 'x'],
    ['http://127.0.0.1:3919/os', 'FROM cgr.dev/chainguard/wolfi-base', 'x'],
    ['https://nexus.example.com/repository/wolfi/os', 'FROM cgr.dev/chainguard/wolfi-base', 'x'],
    ['https://packages.mini.dev/os', 'FROM cgr.dev/chainguard/wolfi-base', '-'],
    // Docker's own packages are not Alpine's.
    ['https://dhi.io/apk/alpine/v3.22/main', 'FROM alpine:3.22', '-'],
    ['https://mirror.example.com/apk/alpine/v3.22/main', 'FROM alpine:3.22', '-'],
    ['https://apks.example.com/melange', 'FROM cgr.dev/chainguard/wolfi-base', '-'],
  ])('%s, %s → %s', (repository, file, datasource) => {
    expect(routed(inDockerfile(file), [source('x', [repository])])).toBe(datasource);
  });

  test.each([
    ['https://packages.wolfi.dev/os', 'https://apks.example.com/os', 'FROM cgr.dev/chainguard/wolfi-base'],
    [`${cdn}/v3.22/main`, 'https://apks.example.com/alpine/v3.22/main', 'FROM alpine:3.22'],
  ])('of %s is not known by its path where that itself is configured', (known, like, file) => {
    for (const sources of [
      [source('like', [like]), source('known', [known])],
      [source('known', [known]), source('like', [like])],
    ]) {
      expect(routed(inDockerfile(file), sources)).toBe('known');
      expect(routed(listing(known), sources)).toBe('known');
      expect(routed(listing(like), sources)).toBe('like');
      expect(routed(listing(known, like), sources)).toBe('-');
    }
  });

  test('has what a file lists by its public address, but not by that of a stranger', () => {
    const sources = [source('x', ['http://127.0.0.1:3919/alpine/v3.22/main'])];
    expect(routed(listing(`${cdn}/v3.22/main`), sources)).toBe('x');
    expect(routed(listing('http://127.0.0.1:3919/alpine/v3.22/main/'), sources)).toBe('x');
    expect(routed(listing('https://strange.example.com/alpine/v3.22/main'), sources)).toBe('-');
  });

  test('with a meaningless address is identified by the name of the datasource', () => {
    const at = (name: string): readonly RoutingSource[] => [source(name, ['https://apks.example.com/x'])];
    expect(routed(inDockerfile('FROM alpine:3.22'), at('alpine-3.22'))).toBe('alpine-3.22');
    expect(routed(inDockerfile('FROM alpine:edge'), at('alpine-edge'))).toBe('alpine-edge');
    expect(routed(inDockerfile('FROM cgr.dev/chainguard/wolfi-base'), at('wolfi'))).toBe('wolfi');
    expect(routed(inDockerfile('FROM alpine:3.22'), at('alpine'))).toBe('-');
  });
});

describe('a list of repositories', () => {
  const priv = 'https://apks.example.com/os/';
  const dhi = 'https://dhi.io/apk/alpine/v3.24/main';
  const sources = [
    ...several,
    source('private', ['https://packages.wolfi.dev/os', priv]),
    source('hardened', [dhi, `${cdn}/v3.24/main`, `${cdn}/v3.24/community`]),
    source('mixed', [`${cdn}/v3.20/main`, `${cdn}/v3.21/main`]),
  ];
  test.each([
    [['https://packages.wolfi.dev/os'], 'wolfi'],
    [['http://packages.wolfi.dev/os/'], 'wolfi'],
    [['https://packages.wolfi.dev/os', priv], 'private'],
    [[priv], 'private'],
    [[`${cdn}/v3.24/main`], 'alpine-v3.24'],
    [[`${cdn}/v3.24/community`, `http://dl-3.alpinelinux.org/alpine/v3.24/main`], 'alpine-v3.24'],
    [[dhi, `${cdn}/v3.24/main`], 'hardened'],
    [[`${cdn}/edge/testing`], 'alpine-edge'],
    // Nobody has all of them, or has a branch beside that the file does not list.
    [[`${cdn}/v3.23/main`], '-'],
    [[`${cdn}/v3.24/main`, `${cdn}/v3.22/main`], '-'],
    [[`${cdn}/v3.20/main`], '-'],
    [[`${cdn}/v3.20/main`, `${cdn}/v3.21/main`], 'mixed'],
    [['https://packages.wolfi.dev/os', 'https://apks.example.com/other'], '-'],
    [['./packages'], '-'],
    [['https://packages.wolfi.dev/os', './packages'], '-'],
    [['deb [signed-by=/k.gpg] http://dhi.io/deb/debian/main trixie main'], '-'],
    [['${{vars.repository}}'], '-'],
    [[], '-'],
  ])('%j → %s', (repositories, datasource) => {
    expect(routed(listing(...repositories), sources)).toBe(datasource);
  });

  test('a file of very many stages is not followed', () => {
    const stages = (count: number): string => 'FROM alpine:3.22\n' + 'FROM b AS b\n'.repeat(count);
    const context = { kind: 'dockerfile', from: 'FROM b AS b' };
    const cut = 'the context of the pin is too long for a lookup';
    expect(reason({ ...context, file: stages(20_000) })).toBe(cut);
    expect(reason({ kind: 'note', note: 'datasource=apk depName=curl', file: stages(20_000) })).toBe(cut);
    expect(routed({ ...context, from: 'FROM alpine:3.22', file: stages(100) })).toBe('alpine-v3.22');
  });

  test('a folder is the same with and without slashes at its end', () => {
    const local = source('local', ['/srv/packages']);
    for (const folder of ['/srv/packages', '/srv/packages/', '@own /srv/packages//'])
      expect(routed({ ...listing(folder), ...(folder.startsWith('@') && { tag: 'own' }) }, [local])).toBe(
        'local',
      );
    expect(routed(listing('/srv/packages'), [source('local', ['/srv/packages/'])])).toBe('local');
  });

  test('chooses the datasource of its archs among equals', () => {
    const riscv = { ...wolfi, name: 'riscv', archs: ['riscv64'] };
    const asking = (archs: string): string =>
      routed({ ...listing('https://packages.wolfi.dev/os'), archs }, [wolfi, riscv]);
    expect(asking('riscv64')).toBe('riscv');
    expect(asking('linux/amd64,linux/arm64')).toBe('wolfi');
    const armhf = { ...wolfi, name: 'armhf', archs: ['armhf'] };
    expect(routed({ ...listing('https://packages.wolfi.dev/os'), archs: 'arm/v6' }, [wolfi, armhf])).toBe(
      'armhf',
    );
    expect(asking('all')).toBe('wolfi');
  });

  test('with a tag: the repository that has it, and no other', () => {
    const lines = listing(`${cdn}/v3.24/main`, `@edge ${cdn}/edge/main`, '@local ./packages');
    expect(routed({ ...lines, tag: 'edge' })).toBe('alpine-edge');
    expect(routed(lines)).toBe('alpine-v3.24');
    expect(reason({ ...lines, tag: 'local' })).toBe('no datasource has ./packages, which is tagged @local');
    expect(reason({ ...lines, tag: 'none' })).toBe('the file has no repository with the tag @none');
  });
});

describe('an include', () => {
  const sources = [{ ...wolfi, includes: ['wolfi-base.yaml'] }, ...several.slice(1)];
  const including = (include: string, ...repositories: string[]): ContextParameters => ({
    ...listing(...repositories),
    include,
  });
  test.each([
    ['wolfi-base.yaml', 'wolfi'],
    ['./wolfi-base.yaml', 'wolfi'],
    ['base/wolfi-base.yaml', 'wolfi'],
    ['github.com/acme/images/wolfi-base.yaml@main', 'wolfi'],
    ['not-wolfi-base.yaml', '-'],
    ['alpine-base.yaml', '-'],
  ])('%s → %s', (include, datasource) => expect(routed(including(include), sources)).toBe(datasource));
  test('counts for less than what the file lists itself', () =>
    expect(routed(including('wolfi-base.yaml', `${cdn}/v3.24/main`), sources)).toBe('alpine-v3.24'));
});

describe('a comment', () => {
  const noted = (note: string, file = ''): ContextParameters => ({
    kind: 'note',
    note,
    file: excerptOf(file),
  });
  test.each([
    ['datasource=custom.alpine-v3.22 depName=curl', '', 'alpine-v3.22'],
    ['datasource=repology depName=alpine_3_22/curl versioning=loose', '', 'alpine-v3.22'],
    ['datasource=repology packageName=alpine_edge/curl depName=x', '', 'alpine-edge'],
    ['datasource=repology depName=alpine_3_18/curl', '', '-'],
    ['datasource=repology depName=debian_12/curl', '', '-'],
    ['datasource=custom.nobody depName=curl', '', '-'],
    ['datasource=custom.apk depName=curl', 'FROM alpine:3.22', 'alpine-v3.22'],
    ['datasource=custom.apk depName=curl', 'FROM alpine:3.22\nFROM alpine:3.24', '-'],
    [
      `datasource=apk depName=curl registryUrl=${cdn}?branch=v3.24&components=main,community&arch=x86_64`,
      '',
      'alpine-v3.24',
    ],
    ['datasource=apk depName=curl registryUrl=https://packages.wolfi.dev/os?arch=x86_64', '', 'wolfi'],
  ])('%s over %j → %s', (note, file, datasource) => expect(routed(noted(note, file))).toBe(datasource));

  test.each([
    ['FROM alpine:3.22', 'alpine-v3.22'],
    ['FROM alpine:3.24.1', '-'],
    ['FROM alpine:edge', '-'],
    ['FROM golang:1.26 AS build\nFROM alpine:3.24', '-'],
    ['FROM alpine:3.24 AS base\nFROM base', '-'],
    // The image does not contradict:
    ['FROM golang:1.26', 'alpine-v3.22'],
    ['FROM alpine', 'alpine-v3.22'],
    ['FROM node:24-alpine\nFROM alpine:3.24', 'alpine-v3.22'],
    ['FROM alpine:3.24\nFROM node:24-alpine3.22', 'alpine-v3.22'],
    ['FROM alpine:$OTHER\nFROM alpine:3.24', 'alpine-v3.22'],
    [`FROM alpine:3.24\nRUN echo '@old ${cdn}/v3.22/main' >> /etc/apk/repositories`, 'alpine-v3.22'],
    ['FROM alpine:3.24\nRUN cat list > /etc/apk/repositories', 'alpine-v3.22'],
    ['FROM alpine:3.24\nRUN sed -i s/3.24/3.22/ /etc/apk/repositories', 'alpine-v3.22'],
  ])('of Repology over %j → %s', (file, datasource) => {
    expect(routed(noted('datasource=repology depName=alpine_3_22/curl', file))).toBe(datasource);
    expect(routed(noted('datasource=repology depName=alpine_edge/curl', file))).toBe('alpine-edge');
  });
});

describe('a script', () => {
  const sources = [{ ...wolfi, scripts: ['install.sh', 'ci/*'] }, ...several.slice(1)];
  const script = (path: string, images = ''): ContextParameters => ({ kind: 'script', path, images });
  test.each([
    [`sed -i 's/v3.22/edge/' /etc/apk/repositories`, '-'],
    [`sed -i 's/dl-cdn.alpinelinux.org/mirror.example.com/' /etc/apk/repositories`, 'alpine-v3.22'],
    [`echo ${cdn}/v3.22/main > /etc/apk/repositories`, 'alpine-v3.22'],
    // The pin may be in another job.
    [`echo ${cdn}/v3.24/main > /etc/apk/repositories`, '-'],
    ['curl https://example.com/list > /etc/apk/repositories', '-'],
    [`echo ${cdn}/edge/community >> /etc/apk/repositories`, '-'],
    [`echo "@edge ${cdn}/edge/community" >> /etc/apk/repositories`, 'alpine-v3.22'],
    ['cat /etc/apk/repositories', 'alpine-v3.22'],
  ])('with %s → %s', (line, datasource) => {
    const context = { ...script('.gitlab-ci.yml', 'image: alpine:3.22'), changes: changesOf(`- ${line}\n`) };
    expect(routed(context, sources)).toBe(datasource);
  });
  test('without jobs has the repositories that it overwrites the list with', () => {
    const changes = changesOf(`echo ${cdn}/v3.24/main > /etc/apk/repositories`);
    expect(routed({ ...script('install.sh'), changes }, sources)).toBe('alpine-v3.24');
  });
  test('has pins of other containers and hosts, which are those of its jobs only if it is configured', () => {
    const elsewhere = (path: string, images: string) => ({
      ...script(path, images),
      elsewhere: 'docker run',
    });
    const image = '\n  image: alpine:3.22';
    expect(routed(elsewhere('.gitlab-ci.yml', image), sources)).toBe('-');
    expect(routed(elsewhere('ci/.gitlab-ci.yml', image), sources)).toBe('wolfi');
    expect(routed(elsewhere('install.sh', ''), sources)).toBe('wolfi');
  });
  test('has the tags that it adds', () => {
    const changes = changesOf(`echo "@e ${cdn}/edge/community" >> /etc/apk/repositories`);
    const context = { ...script('.gitlab-ci.yml', 'image: alpine:3.22'), changes };
    expect(routed({ ...context, current: '@e=1.0-r0' }, sources)).toBe('alpine-edge');
    expect(routed({ ...context, current: '@x=1.0-r0' }, sources)).toBe('-');
  });
  test.each([
    ['install.sh', '', 'wolfi'],
    ['docker/install.sh', '', 'wolfi'],
    ['ci/build/x.sh', '', 'wolfi'],
    ['uninstall.sh', '', '-'],
    ['.gitlab-ci.yml', '\n  image: alpine:3.22', 'alpine-v3.22'],
    ['.gitlab-ci.yml', '\n  image: "alpine:3.22"\n  image:\n    name: alpine:3.22', 'alpine-v3.22'],
    ['.gitlab-ci.yml', '\n  image: alpine:3.22\n  image: alpine:3.24', '-'],
    ['.gitlab-ci.yml', '\n  image: $IMAGE', '-'],
    ['.gitlab-ci.yml', '\n  image: $CI_REGISTRY_IMAGE/alpine:3.22', '-'],
    [
      '.gitlab-ci.yml',
      '\n  image: "${CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX}/alpine:3.22" # why\n  image: $CI_DEPENDENCY_PROXY_DIRECT_GROUP_IMAGE_PREFIX/library/alpine:3.22',
      'alpine-v3.22',
    ],
    ['.gitlab-ci.yml', '\n  image: ${CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX}/alpine:$TAG', '-'],
    ['.gitlab-ci.yml', '\n  image:\n  image: alpine:3.22', '-'],
    ['.gitlab-ci.yml', '{image: alpine:3.22\n  image:', '-'],
    ['.gitlab-ci.yml', ', "image": "alpine:3.22"\n  image: &it alpine:3.22', 'alpine-v3.22'],
    ['ci/.gitlab-ci.yml', '\n  image: alpine:3.22', 'wolfi'],
  ])('%s with %j → %s', (path, images, datasource) =>
    expect(routed(script(path, images), sources)).toBe(datasource),
  );
});

describe('the images of a CI file that the preset sends', () => {
  const imagesIn = (file: string): readonly string[] => {
    const images = file.replace(new RegExp(IMAGE_LINES, 'g'), IMAGE_LINES_KEPT);
    const context = parsePinContext({ kind: 'script', path: 'x', images });
    return context.kind === 'script' ? context.images : [];
  };
  test.each<[string, readonly string[]]>([
    ['image: alpine:3.22\nj:\n  image: "alpine:3.24" # why', ['alpine:3.22', 'alpine:3.24']],
    ['j:\n  image:\n    name: alpine:3.22', ['alpine:3.22']],
    ['j:\n  image:\n    entrypoint: [""]\n    name: alpine:3.22', ['alpine:3.22']],
    ['j:\r\n  image:\r\n    entrypoint:\r\n      - ""\r\n\r\n    name: alpine:3.22\r\n', ['alpine:3.22']],
    ['j:\n  image: # why\n    # why\n    docker:\n      user: x\n    name: alpine:3.22', ['alpine:3.22']],
    ['j:\n  image: &it\n    pull_policy: always\n    name: alpine:3.22', ['alpine:3.22']],
    ['j:\n  image: &it alpine:3.22', ['alpine:3.22']],
    ['j:\n  image: { entrypoint: [""], name: alpine:3.22 }\n  name: x', ['alpine:3.22']],
    ['j:\n  image: {\n    entrypoint: [""],\n    name: alpine:3.22\n  }', ['alpine:3.22']],
    ['j: {image: alpine:3.22, script: [x]}\nk:\n  image: alpine:3.24', ['alpine:3.22', 'alpine:3.24']],
    ['j: {stage: x, image: {entrypoint: [""], name: alpine:3.22}, needs: []}', ['alpine:3.22']],
    ['{"j": {"image": "alpine:3.22"}}', ['alpine:3.22']],
    ['j:\n  image:\n    <<: *it\n  environment:\n    name: x\nk:\n  image: alpine:3.22', ['', 'alpine:3.22']],
    ['j:\n  image: alpine:3.22\nk:\n  image:', ['alpine:3.22', '']],
    ['j:\n  image: ${A}/b:${C}-d', ['${A}/b:${C}-d']],
    ['j:\n  image: &it alpine:3.22\nk:\n  image: *it\nl: {image: *it, script: [x]}', ['alpine:3.22']],
    ['j:\n  image: &it\n    name: alpine:3.22\nk:\n  image: *it', ['alpine:3.22']],
    ['j:\n  image:\n    name: &it alpine:3.22\nk:\n  image: *it # why\n', ['alpine:3.22']],
    ['.it: &it alpine:3.22\nj:\n  image: *it\nk:\n  image: &it2 alpine:3.24', ['*it', 'alpine:3.24']],
  ])('%j: %j', (file, images) => expect(imagesIn(file)).toEqual(images));
});

describe('unknown: ask', () => {
  const ask = (asked: RoutingSource): readonly RoutingSource[] => [
    { ...asked, asksUnknown: true },
    ...several.filter(({ name }) => name !== asked.name),
  ];
  test.each([
    ['an image of which nothing is known', inDockerfile('FROM ghcr.io/acme/base'), 'wolfi'],
    ['an image behind an ARG without a default', inDockerfile('ARG X\nFROM $X'), 'wolfi'],
    ['a file without repositories', listing(), 'wolfi'],
    ['a repository of which nothing is known', listing('https://apks.example.com/x'), 'wolfi'],
    ['no context', {}, 'wolfi'],
    ['a script', { kind: 'script', path: 'x.sh' }, 'wolfi'],
    // Known to be something else:
    ['Alpine of some branch', inDockerfile('FROM node:24-alpine'), '-'],
    ['a branch that nobody has', inDockerfile('FROM alpine:3.18'), '-'],
    ['a listed branch that nobody has', listing(`${cdn}/v3.18/main`), '-'],
    ['Debian', listing('deb http://deb.debian.org/debian trixie main'), '-'],
    ['a tag', { ...listing('@local ./packages'), tag: 'local' }, '-'],
  ])('%s → %s', (_what, parameters, datasource) => expect(routed(parameters, ask(wolfi))).toBe(datasource));
  test('of an Alpine takes Alpine of some branch', () =>
    expect(routed(inDockerfile('FROM node:24-alpine'), ask(alpine('v3.22')))).toBe('alpine-v3.22'));
});

describe('a line of a script that looks like FROM', () => {
  const script = 'RUN python3 - <<EOF\nfrom os import path\nEOF\n';
  const inScript = (file: string): ContextParameters => ({
    ...inDockerfile(file),
    from: 'from os import path',
  });
  test.each([
    ['belongs to the stage around it', `FROM alpine:3.22\n${script}FROM alpine:3.24`, 'alpine-v3.22'],
    [
      'to several of one image',
      `FROM alpine:3.22\n${script}FROM alpine:3.22 AS x\n${script}`,
      'alpine-v3.22',
    ],
    ['to several of different images', `FROM alpine:3.22\n${script}FROM alpine:3.24\n${script}`, '-'],
    ['and one of nobody', `FROM debian\n${script}FROM alpine:3.24\n${script}`, '-'],
    ['in front of every stage', `${script}FROM alpine:3.24\n${script}`, '-'],
  ])('%s', (_, file, datasource) => expect(routed(inScript(file))).toBe(datasource));
});

describe('a repository of the command is beside those of the image', () => {
  const apks = 'https://apks.example.com/acme';
  const all = [source('apks', [apks]), alpine('v3.22', [apks]), alpine('edge')];
  test.each([
    [apks, 'FROM alpine:3.22', 'image: alpine:3.22', 'alpine-v3.22'],
    [`${cdn}/v3.22/main`, 'FROM alpine:3.22', 'image: alpine:3.22', 'alpine-v3.22'],
    // Only the repository is known, or no datasource has both:
    [apks, 'FROM debian:12', 'image: debian:12', 'apks'],
    [apks, 'FROM alpine:edge', 'image: alpine:edge', 'apks'],
    [`${cdn}/edge/main`, 'FROM alpine:3.22', 'image: alpine:3.22', 'alpine-edge'],
    ['https://other.example.com', 'FROM alpine:3.22', 'image: alpine:3.22', '-'],
  ])('%s, %s: %s', (address, from, images, datasource) => {
    const x = ` -X ${address}`;
    expect(routed(inDockerfile(from, { x }), all)).toBe(datasource);
    expect(routed({ kind: 'script', path: 'ci.yml', images, x }, all)).toBe(datasource);
  });
});

describe('a context in one parameter', () => {
  const at = (kind: string, values: readonly (string | null)[], current = '1.0-r0'): ContextParameters => ({
    kind,
    current,
    at: JSON.stringify(values),
  });
  const edge = `-X ${cdn}/edge/main `;
  const file = `FROM alpine:3.22\nRUN echo '@edge ${cdn}/edge/main' >> /etc/apk/repositories\nFROM alpine:3.24 AS x`;
  test.each<[string, ContextParameters, string]>([
    ['the stage that is named', at('dockerfile', ['', 'FROM alpine:3.22', excerptOf(file)]), 'alpine-v3.22'],
    ['without a name the last stage', at('dockerfile', [null, null, excerptOf(file)]), 'alpine-v3.24'],
    [
      'a repository of the command',
      at('dockerfile', [edge, 'FROM alpine:3.22', excerptOf(file)]),
      'alpine-edge',
    ],
    ...['-UX ', '-X', '"-X" "', "'--repository="].map((option): [string, ContextParameters, string] => [
      `a repository of the command, by ${option}`,
      at('dockerfile', [` ${option}${cdn}/edge/main`, 'FROM alpine:3.22', excerptOf(file)]),
      'alpine-edge',
    ]),
    [
      'the list of the image',
      at('dockerfile', [' --repositories-file /etc/apk/repositories', 'FROM alpine:3.22', excerptOf(file)]),
      'alpine-v3.22',
    ],
    [
      'a repository instead of the list',
      at('dockerfile', [` --repositories-file=/dev/null ${edge}`, 'FROM alpine:3.22', excerptOf(file)]),
      'alpine-edge',
    ],
    [
      'another list',
      at('dockerfile', [' --repositories-file /tmp/list', 'FROM alpine:3.22', excerptOf(file)]),
      '-',
    ],
    [
      'a tag in front',
      at('dockerfile', ['', 'FROM alpine:3.22', excerptOf(file)], '@edge=1.0-r0'),
      'alpine-edge',
    ],
    [
      'a tag behind',
      at('dockerfile', ['', 'FROM alpine:3.22', excerptOf(file)], '=1.0-r0@edge'),
      'alpine-edge',
    ],
    [
      'a tag beside a repository of the command',
      at('dockerfile', [` -X ${cdn}/v3.24/main`, 'FROM alpine:3.22', excerptOf(file)], '@edge=1.0-r0'),
      'alpine-edge',
    ],
    ['a tag of nobody', at('dockerfile', ['', 'FROM alpine:3.22', excerptOf(file)], '@x="1.0-r0'), '-'],
    ['a script', at('script', ['', 'ci', '.gitlab-ci.yml', 'image: alpine:3.22']), 'alpine-v3.22'],
    ['a comment', at('note', ['datasource=repology depName=alpine_3_22/curl', '']), 'alpine-v3.22'],
  ])('%s', (_, parameters, datasource) => expect(routed(parameters)).toBe(datasource));

  test.each(['cut', '', '{}', '[', 'null'])('%j has no meaning, and no datasource is asked', (text) => {
    const asking = several.map((each) => ({ ...each, asksUnknown: true }));
    expect(reason({ kind: 'dockerfile', at: text }, asking)).toBe(
      'the context of the pin is too long for a lookup',
    );
    expect(reason({ kind: 'cut' }, asking)).toBe('the context of the pin is too long for a lookup');
  });
});

test('without a context no datasource is asked', () => {
  expect(reason({})).toBe('the lookup has no context of the pin');
  expect(reason({ kind: 'next-year' })).toBe('the lookup has no context of the pin');
});
