/** Which datasource an exported preset chooses. `export.e2e.ts` has Renovate choose. */
import { describe, expect, test } from 'vitest';
import { staticDefinitionRoute, staticDockerfileUrl } from '../../src/renovate/static-routes.ts';
import type { RoutingSource } from '../../src/routing/route.ts';

const source = (name: string, more: Partial<RoutingSource>): RoutingSource => ({
  ...{ name, repositories: [], archs: ['x86_64'], images: [], includes: [], scripts: [], asksUnknown: false },
  ...more,
});
const sources = [
  source('wolfi', { repositories: ['https://packages.wolfi.dev/os'], includes: ['bases/*.yaml'] }),
  source('alpine', {
    repositories: ['main', 'community'].map((each) => `https://dl-cdn.alpinelinux.org/alpine/v3.22/${each}`),
  }),
  source('acme', { repositories: ['https://apks.example.com/os'], images: ['ghcr.io/acme/base'] }),
];

/** Of the alternatives `find`, each with an expression and a datasource, the first whose expression matches. */
const chosen = (alternatives: Iterable<RegExpExecArray>, text: string): string | undefined =>
  [...alternatives].find(([, expression = '']) => new RegExp(expression).test(text))?.[2];

describe('a Dockerfile', () => {
  const url = staticDockerfileUrl('https://site.example', sources);

  test.each([
    ['cgr.dev/chainguard/wolfi-base:latest', 'wolfi'],
    ['ghcr.io/wolfi-dev/sdk', 'wolfi'],
    ['alpine:3.22', 'alpine'],
    ['mirror.example/library/alpine:3.22.1@sha256:0123abcd', 'alpine'],
    ['node:24-alpine3.22', 'alpine'],
    ['alpine:3.21', undefined],
    ['alpine:3.221', undefined],
    ['alpine', undefined],
    ['ghcr.io/acme/base', 'acme'],
    ['ghcr.io/acme/base:1.0', 'acme'],
    ['ghcr.io/acme/base-other', undefined],
    ['debian:13', undefined],
  ])('FROM %s: %s', (image, datasource) => {
    const alternatives = url.matchAll(
      /\{\{else if \(equals \(replace '(.*?)' 'yes' .*? "yes"\)\}\}https:\/\/site\.example\/(\w+)\//g,
    );
    expect(chosen(alternatives, image)).toBe(datasource);
  });

  test('without a certain image gets the file without an opinion', () => {
    expect(url).toMatch(/^\{\{#if .*\}\}https:\/\/site\.example\/-\/no-opinion\{\{else if /);
    expect(url).toMatch(/\{\{else\}\}https:\/\/site\.example\/-\/no-opinion\{\{\/if\}\}$/);
  });
});

describe('a definition', () => {
  const route = staticDefinitionRoute(sources).join('\n').replaceAll('\\/', '/');

  test.each([
    ['packages.wolfi.dev/os', 'wolfi'],
    ['dl-cdn.alpinelinux.org/alpine/v3.22/main', 'alpine'],
    ['dl-cdn.alpinelinux.org/alpine/v3.21/main', undefined],
    ['apks.example.com/os', 'acme'],
    ['apksXexample.com/os', undefined],
  ])('that lists %s: %s', (repository, datasource) => {
    const alternatives = route.matchAll(/\$contains\(\$, \/(\^\(\?:.*?\)\$)\/\)\)\]\) = 0 \? "(\w+)"/g);
    expect(chosen(alternatives, repository)).toBe(datasource);
  });

  test.each([
    ['bases/wolfi.yaml', 'wolfi'],
    ['./images/bases/wolfi.yaml@v1', 'wolfi'],
    ['other/wolfi.yaml', undefined],
  ])('that includes %s: %s', (file, datasource) => {
    const alternatives = route.matchAll(/\$contains\(\$include, \/(\^.*?\$)\/\) \? "(\w+)"/g);
    expect(chosen(alternatives, file)).toBe(datasource);
  });
});
