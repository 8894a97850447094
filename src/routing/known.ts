/**
 * Known public images and repositories, applied by `route.ts`. Data only.
 *
 * Sources: https://hub.docker.com/_/alpine (tags), https://mirrors.alpinelinux.org, https://images.chainguard.dev,
 * https://github.com/wolfi-dev, https://hub.docker.com/hardened-images,
 * https://github.com/linuxserver/docker-baseimage-alpine, https://github.com/home-assistant/docker-base.
 */

/** Distributions whose packages must not be mixed up. Alpine has one per branch. */
export type Family = 'alpine' | 'wolfi' | 'chainguard' | 'minimos' | 'dhi' | 'debian';

/** GitLab's dependency proxy for Docker Hub: https://docs.gitlab.com/user/packages/dependency_proxy/. */
const proxies = ['CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX', 'CI_DEPENDENCY_PROXY_DIRECT_GROUP_IMAGE_PREFIX'];

/** Prefixes of Docker Hub, which Docker drops, and of its proxies. */
export const dockerHubPrefixes: readonly string[] = [
  'docker.io/',
  'index.docker.io/',
  'registry-1.docker.io/',
  'registry.hub.docker.com/',
  ...proxies.flatMap((name) => [`$${name}/`, `\${${name}}/`]),
];

/** The last part of the name of Alpine's official image and its mirrors, and Docker's hardened one. */
export const alpineImage = /(?:^|\/)(?:dhi-alpine-base|alpine)$|^dhi\.io\/alpine-base$/;

/** The tag of an official Alpine image: `3.22`, `3.22.1`, `edge`, `20260127` (a snapshot of edge). */
export const alpineTag =
  /^(?:(?<branch>edge|3\.\d+)(?:\.\d+)?(?:[._-].*)?|(?<snapshot>20\d{6})(?:[._-].*)?)$/;

/** The tag of an image built on Alpine: `24-alpine3.22`, `1.26-alpine-3.22`, `alpine3.22-slim`. */
export const basedOnAlpineTag = /(?:^|[._-])alpine[-_]?(?<branch>edge|\d+\.\d+)(?:[._-]|$)/;

/** Bases of linuxserver.io and Home Assistant. Their tags begin with the branch, maybe behind an arch: `3.22`, `arm64v8-edge`. */
export const alpineBase =
  /(?:^|\/)(?:linuxserver\/baseimage-alpine(?:-nginx)?|home-assistant\/(?:[a-z0-9]+-)?base)$/;
export const alpineBaseTag = /^(?:[a-z][a-z0-9]*-)?(?<branch>edge|3\.\d+)(?:[.-]|$)/;

/**
 * Docker Hardened Images, also mirrored as `NAMESPACE/dhi-NAME`. Those on Alpine have Docker's repository beside Alpine's.
 * https://docs.docker.com/dhi/how-to/mirror/, https://docs.docker.com/dhi/how-to/hardened-packages/
 */
export const hardenedImage = /^dhi\.io\/|(?:^|\/)dhi-[^/]+$/;

/** OpenWrt's images, from https://github.com/openwrt/docker. */
export const openwrtImage = /(?:^|\/)openwrt\/(?:rootfs|imagebuilder|sdk)$/;

/** Their tags: a target or an arch, then a release. `x86-64-v25.12.1`, `mediatek-filogic-25.12.1`, `x86_64-25.12-SNAPSHOT`. */
export const openwrtTag = /^(?<device>[a-z0-9_-]+?)-v?(?<release>\d+\.\d+(?:\.\d+(?:-rc\d+)?|-SNAPSHOT))$/;

/** OpenWrt's feeds: `…/releases/25.12.1/targets/x86/64/packages/packages.adb`, `…/packages/x86_64/base/packages.adb`. */
export const openwrtFeed =
  /\/releases\/(?<release>\d[^/]*)\/(?:targets\/(?<target>[^/]+)\/(?<subtarget>[^/]+)|packages\/(?<arch>[^/]+))\//;

/** Tags of Alpine's image that move to the next branch at its release. */
export const alpineMovingTags: readonly string[] = ['', 'latest', '3'];

/** An image on Alpine whose name and tag do not show the branch. */
export const someAlpine = /(?:^|[/:._-])alpine(?:$|[:._-])/;

/** Images of Wolfi and Chainguard, and the distributions whose packages they take; the first configured one is used. */
export const wolfiImages: readonly { readonly name: RegExp; readonly families: readonly Family[] }[] = [
  { name: /(?:^|\/)wolfi-base$/, families: ['wolfi', 'chainguard'] },
  { name: /^ghcr\.io\/wolfi-dev\//, families: ['wolfi', 'chainguard'] },
  { name: /^(?:cgr\.dev|chainguard)\//, families: ['chainguard', 'wolfi'] },
];

/** Locations of Alpine's repositories, each `HOST/PATH` followed by `/BRANCH/COMPONENT`. */
export const alpineMirrors: readonly string[] = [
  'dl-cdn.alpinelinux.org/alpine',
  'dl-1.alpinelinux.org/alpine',
  'dl-2.alpinelinux.org/alpine',
  'dl-3.alpinelinux.org/alpine',
  'dl-4.alpinelinux.org/alpine',
  'dl-5.alpinelinux.org/alpine',
  'dl-6.alpinelinux.org/alpine',
  'dl-8.alpinelinux.org/alpine',
  'dl.alpinelinux.org/alpine',
  'nl.alpinelinux.org/alpine',
  'uk.alpinelinux.org/alpine',
  'alpine.global.ssl.fastly.net/alpine',
  'mirror.leaseweb.com/alpine',
  'mirrors.aliyun.com/alpine',
  'mirrors.cloud.tencent.com/alpine',
  'mirrors.edge.kernel.org/alpine',
  'mirrors.huaweicloud.com/alpine',
  'mirrors.sjtug.sjtu.edu.cn/alpine',
  'mirrors.tuna.tsinghua.edu.cn/alpine',
  'mirrors.ustc.edu.cn/alpine',
  'mirror.yandex.ru/mirrors/alpine',
];

/** Repositories of other distributions, by the beginning of `HOST/PATH`. */
export const knownRepositories: readonly { readonly prefix: string; readonly family: Family }[] = [
  { prefix: 'packages.wolfi.dev/os', family: 'wolfi' },
  { prefix: 'apk.cgr.dev/chainguard', family: 'chainguard' },
  { prefix: 'packages.cgr.dev/os', family: 'chainguard' },
  { prefix: 'virtualapk.cgr.dev/', family: 'chainguard' },
  { prefix: 'packages.mini.dev/', family: 'minimos' },
  { prefix: 'dhi.io/apk/', family: 'dhi' },
];

/** `…/alpine/v3.22/main`, or `/v3.22/main` at the root of a host. Docker's `/apk/alpine/` is another distribution. */
export const alpineRepository =
  /^(?<base>.*\/)?(?<branch>edge|latest-stable|v\d+\.\d+)\/(?<component>main|community|testing)$/;

/** If the address of a mirror is meaningless, the name of the datasource counts. */
export const namedAlpine = /^alpine[-_.]?(?<branch>edge|latest-stable|\d+\.\d+)$/;
