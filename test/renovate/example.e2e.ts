/**
 * `renovate.example.json` as it is, but for the address: two datasources, rules for people, merge requests on a Gitea.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { published, startBeacon, type Beacon } from './support/beacon.ts';
import { startGitea, type Gitea, type MergeRequest } from './support/gitea.ts';
import { allowInternal, exampleFor } from './support/preset.ts';

const origin = { fields: { o: 'curl', U: 'https://curl.se/' } };
const datasources = {
  wolfi: [
    published('curl=8.19.0-r0', { days: 30 }),
    published('curl=8.20.0-r1', { days: 10, ...origin }),
    published('jq=1.8.0-r0'),
    published('jq=1.8.1-r0'),
    published('jq=1.8.2-r0', { days: 1 }),
    published('zlib=1.3.1-r0'),
    published('zlib=1.3.1-r4'),
    published('trivy=0.69.3-r0'),
  ],
  alpine: [published('busybox=1.37.0-r31'), published('linux-lts=6.18.43-r2')],
};
const files = {
  'image.yaml':
    'contents:\n  repositories: [https://packages.wolfi.dev/os]\n  packages:\n    - curl=8.19.0-r0\n    - jq=1.8.0-r0\n    - zlib=1.3.1-r0\n    - trivy=0.69.4-r0\n',
  Dockerfile:
    'FROM alpine:edge AS base\nRUN apk add --no-cache \\\n      busybox=1.37.0-r20 # shell\nFROM cgr.dev/chainguard/wolfi-base\nRUN apk add curl=8.19.0-r0\n',
  'linux.yaml':
    'package:\n  name: linux\n  # renovate: datasource=custom.alpine depName=linux-lts\n  version: 6.18.42\n  epoch: 1 # as in Alpine\n',
};

let beacon: Beacon;
let gitea: Gitea;
beforeAll(async () => {
  beacon = await startBeacon({
    datasources,
    routing: { alpine: { images: ['alpine:edge'] } },
    repository: { changelog: 'https://recipes.example.com/{origin}?since={since}&until={until}' },
  });
  gitea = await startGitea();
  await gitea.create('images', { ...files, 'renovate.json': exampleFor(beacon.url) });
  await gitea.renovate('images', allowInternal(beacon.url));
});
afterAll(async () => {
  await gitea[Symbol.asyncDispose]();
  await beacon[Symbol.asyncDispose]();
});

function request(title: string): MergeRequest {
  const found = gitea.mergeRequests.find((each) => each.title === title);
  if (!found) throw new Error(`none of ${gitea.mergeRequests.map((each) => each.title).join(', ')}`);
  return found;
}

describe('the rules for people', () => {
  test('make one merge request for each datasource, of versions that are three days old', async () => {
    expect(await gitea.diff('images', request('Update wolfi packages').branch)).toEqual([
      '-RUN apk add curl=8.19.0-r0',
      '+RUN apk add curl=8.20.0-r1',
      '-    - curl=8.19.0-r0',
      '-    - jq=1.8.0-r0',
      '+    - curl=8.20.0-r1',
      '+    - jq=1.8.1-r0',
    ]);
  });

  test('raise version and epoch of a repackaged APK together', async () => {
    expect(await gitea.diff('images', request('Update linux-lts to 6.18.43').branch)).toEqual([
      '-  version: 6.18.42',
      '-  epoch: 1 # as in Alpine',
      '+  version: "6.18.43"',
      '+  epoch: 2 # as in Alpine',
    ]);
  });

  test('ask the datasource of the base image about each stage of a Dockerfile', async () => {
    expect(await gitea.diff('images', request('Update busybox to 1.37.0-r31').branch)).toEqual([
      '-      busybox=1.37.0-r20 # shell',
      '+      busybox=1.37.0-r31 # shell',
    ]);
  });

  test('let rebuilds of the same version merge by themselves, once checks have passed', () => {
    expect(request('Update zlib to 1.3.1-r4')).toMatchObject({ state: 'closed', merged: true });
    expect(request('Update wolfi packages')).toMatchObject({ state: 'open', merged: false });
  });

  test('keep a rollback apart and unmerged', async () => {
    const rollback = request('Roll back trivy to 0.69.3-r0');
    expect(rollback).toMatchObject({ state: 'open', merged: false });
    expect(await gitea.diff('images', rollback.branch)).toEqual([
      '-    - trivy=0.69.4-r0',
      '+    - trivy=0.69.3-r0',
    ]);
  });
});

test("the text leads to the homepage and to the recipe's history between the two versions", () => {
  const { body } = request('Update wolfi packages');
  expect(body).toContain('[curl](https://curl.se/)');
  expect(body).toMatch(/\[changelog\]\(https:\/\/recipes\.example\.com\/curl\?since=[\d-]+&until=[\d-]+\)/);
});
