/** The preset in existing setups: beside users' own managers, and with merge requests of an earlier preset. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { listen } from '../support/upstream.ts';
import { published, startBeacon } from './support/beacon.ts';
import { startGitea } from './support/gitea.ts';
import { allowInternal, exampleFor } from './support/preset.ts';
import { lookUp } from './support/run.ts';

const noImages = { matchDatasources: ['docker'], enabled: false };

test('managers that people have get updates for pins that are no longer listed', async () => {
  await using beacon = await startBeacon({
    datasources: {
      wolfi: [published('curl=8.22.0-r0'), published('jq=1.8.1-r0')],
      alpine: [published('git=2.52.0-r0')],
    },
  });
  const own = {
    customType: 'regex',
    managerFilePatterns: ['/^tools\\.txt$/'],
    matchStrings: ['(?<depName>[a-z]+)=(?<currentValue>\\S+)'],
  };
  const { dependencies, log } = await lookUp({
    files: {
      // Both the preset and customManagers:dockerfileVersions find this one.
      Dockerfile:
        'FROM ghcr.io/acme/unknown\n# renovate: datasource=custom.wolfi depName=curl\nARG CURL_VERSION="8.20.0-r0"\n' +
        'ENV OTHER=1\nRUN apk add curl="${CURL_VERSION}"\n',
      'tools.txt': 'curl=8.20.0-r0\njq=1.7.0-r0\n',
      'renovate.json': JSON.stringify({
        extends: [`${beacon.url}/renovate.json`, 'customManagers:dockerfileVersions'],
        // By hand, as people write it.
        customDatasources: { wolfi: { defaultRegistryUrlTemplate: `${beacon.url}/wolfi/{{packageName}}` } },
        customManagers: [{ ...own, datasourceTemplate: 'custom.wolfi' }],
        packageRules: [noImages],
      }),
    },
    environment: allowInternal(beacon.url),
  });
  const shown = (file: string): readonly string[] =>
    (dependencies.get(file) ?? [])
      .filter(({ datasource }) => datasource.startsWith('custom.'))
      .map(({ depName, updates }) =>
        [depName, ...updates.map(({ updateType, newValue }) => `${updateType} ${newValue}`)].join(' '),
      );
  expect(shown('Dockerfile')).toEqual(['curl minor 8.22.0-r0', 'curl minor 8.22.0-r0']);
  expect(shown('tools.txt')).toEqual(['curl minor 8.22.0-r0', 'jq minor 1.8.1-r0']);
  expect(log.filter(({ level }) => level >= 40).map(({ msg }) => msg)).toEqual([]);
});

test('merge requests that an earlier preset opened stay open, with branches and titles', async () => {
  await using beacon = await startBeacon({
    datasources: {
      wolfi: [published('curl=8.20.0-r1'), published('zlib=1.3.1-r4'), published('trivy=0.69.3-r0')],
      alpine: [published('busybox=1.37.0-r31'), published('git=2.52.0-r0')],
    },
    routing: { alpine: { images: ['alpine:edge'] } },
  });
  await using gitea = await startGitea();
  const before = readFileSync(
    new URL('../fixtures/renovate/example-before-routing.json', import.meta.url),
    'utf8',
  );
  let preset = before.replaceAll('http://apk-beacon:3000', beacon.url);
  const presets = createServer((_request, response) => response.end(preset));
  const { href } = await listen(presets, 'http');
  await gitea.create('images', {
    'image.yaml':
      'contents:\n  repositories: [https://packages.wolfi.dev/os]\n  packages:\n    - curl=8.19.0-r0\n    - trivy=0.69.4-r0\n',
    Dockerfile:
      'FROM alpine:edge\nRUN apk add --no-cache busybox=1.37.0-r20\nFROM cgr.dev/chainguard/wolfi-base\nRUN apk add curl=8.19.0-r0\n',
    'renovate.json': JSON.stringify({
      extends: [`${href}renovate.json`],
      packageRules: [
        { ...noImages, automerge: false },
        { matchPackageNames: ['*'], automerge: false },
      ],
    }),
  });
  const environment = {
    RENOVATE_HOST_RULES: JSON.stringify([
      { matchHost: `${beacon.url}/`, allowInternal: true },
      { matchHost: href, allowInternal: true },
    ]),
  };
  await gitea.renovate('images', environment);
  const shown = () =>
    gitea.mergeRequests.map(({ title, branch, state }) => `${state} ${branch}: ${title}`).sort();
  const opened = shown();
  expect(opened).toHaveLength(3);
  expect(opened.every((each) => each.startsWith('open '))).toBe(true);
  preset = exampleFor(beacon.url);
  await gitea.renovate('images', environment);
  expect(shown()).toEqual(opened);
  presets.closeAllConnections();
  presets.close();
});
