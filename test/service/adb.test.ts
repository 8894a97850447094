/** Repositories of apk 3, by the addresses that users configure. */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { adbKey, indexValues, signedAdb, type AdbPackage } from '../support/adb.ts';
import { startService, type TestService } from '../support/service.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/adb/${name}`, import.meta.url));

/** A service of one datasource, refreshed once. */
async function serviceOf(
  repositories: readonly unknown[],
  datasource: Record<string, unknown>,
): Promise<TestService> {
  const service = await startService({
    config: { datasources: { device: { repositories, ...datasource } } },
  });
  await service.beacon.refreshOnce(new AbortController().signal);
  return service;
}

async function versions(service: TestService, name: string): Promise<readonly string[]> {
  const answer = await service.get(`/device/${name}`);
  const { releases = [] } = answer.json<{ releases?: { version: string }[] }>();
  return releases.map(({ version }) => version);
}

describe('addresses', () => {
  test('of an index file, in any folder', async () => {
    await using service = await serviceOf([fixture('openwrt.adb')], { keys: [fixture('openwrt-p256.pem')] });
    expect(await versions(service, 'kernel')).toEqual(['6.12.87~0a1b2c3d4e5f60718293a4b5c6d7e8f9-r1']);
    expect(await versions(service, 'luci-base')).toEqual(['25.292.66247~75e41cb']);
    const status = (await service.get('/device')).json<{ archs: unknown; indexes: unknown[] }>();
    expect(status.archs).toEqual(['x86_64']);
    expect(status.indexes).toMatchObject([
      { format: 'adb', verifiedBy: 'openwrt-p256.pem', buildTimes: false, packages: 7 },
    ]);
  });

  test('of a folder with Packages.adb for each arch', async () => {
    const folder = await temporaryDirectory();
    await mkdir(join(folder, 'x86_64'));
    await cp(fixture('v3.adb'), join(folder, 'x86_64/Packages.adb'));
    await using service = await serviceOf([folder], {
      archs: ['x86_64'],
      keys: [fixture('v3-rsa3072.rsa.pub')],
    });
    expect(await versions(service, 'tool')).toEqual(['1.0-r0', '1.1-r0', '2.0-r0']);
    // There is no mirror of it.
    for (const file of ['APKINDEX.tar.gz', 'tool-1.0-r0.apk'])
      expect((await service.get(`/device@1h/x86_64/${file}`)).statusCode).toBe(404);
  });

  test('of a folder whose APKINDEX.tar.gz is one of apk 3', async () => {
    const folder = await temporaryDirectory();
    await mkdir(join(folder, 'x86_64'));
    await cp(fixture('chimera.adb'), join(folder, 'x86_64/APKINDEX.tar.gz'));
    const keys = [fixture('chimera-rsa4096.rsa.pub')];
    await using service = await serviceOf([folder], { archs: ['x86_64'], keys });
    expect(await versions(service, 'python')).toEqual(['3.13.7-r0']);
  });

  test.each([
    ['that is cut', signedAdb(indexValues([{ name: 'a', version: '1-r0' }])).subarray(0, -8)],
    ['that is held back', signedAdb(indexValues([]))],
  ])('of a folder with a Packages.adb %s: the error names it', async (_, content) => {
    const folder = await temporaryDirectory();
    await mkdir(join(folder, 'x86_64'));
    await writeFile(join(folder, 'x86_64/Packages.adb'), content);
    await writeFile(join(folder, 'key.pem'), adbKey().pem);
    await using service = await serviceOf([folder], { archs: ['x86_64'], keys: [join(folder, 'key.pem')] });
    const { indexes } = (await service.get('/device')).json<{ indexes: { error: string }[] }>();
    expect(indexes[0]?.error).toMatch(
      /^\/.*\/x86_64\/Packages\.adb(?:: ADB block| is held back: no packages)/,
    );
  });

  test('of neither: the error names the APKINDEX.tar.gz', async () => {
    await using service = await serviceOf(['/nowhere'], { archs: ['x86_64'] });
    const { indexes } = (await service.get('/device')).json<{ indexes: { error: string }[] }>();
    expect(indexes[0]?.error).toContain('/nowhere/x86_64/APKINDEX.tar.gz');
  });
});

const arch = 'aarch64_cortex-a53';
const kernel = '6.12.87~0a1b2c3d-r1';

/** The feeds of a device: each an index in a folder of its own. */
async function feeds(
  contents: Readonly<Record<string, readonly AdbPackage[]>>,
): Promise<{ urls: string[]; keys: string[] }> {
  const folder = await temporaryDirectory();
  const key = join(folder, 'openwrt.pem');
  await writeFile(key, adbKey().pem);
  const urls: string[] = [];
  for (const [feed, packages] of Object.entries(contents)) {
    const file = join(folder, feed, 'packages.adb');
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, signedAdb(indexValues(packages.map((each) => ({ arch, ...each })))));
    urls.push(file);
  }
  return { urls, keys: [key] };
}

describe('the feeds of a device in one datasource', () => {
  const contents = {
    'targets/mediatek/filogic/packages': [{ name: 'kernel', version: kernel }],
    'kmods/6.12.87': [
      { name: 'kmod-usb', version: '6.12.87-r1', depends: [`kernel=${kernel}`], provides: ['kmod-usb-any'] },
      { name: 'kmod-old', version: '6.12.60-r1', depends: ['kernel=6.12.60~ffffffff-r1'] },
    ],
    'packages/base': [{ name: 'libc', version: '1.2.5-r5' }],
    'packages/luci': [{ name: 'luci', version: '25.292.66247~75e41cb', arch: 'noarch', depends: ['libc'] }],
    'packages/packages': [{ name: 'curl', version: '8.16.0-r1' }],
    'packages/routing': [{ name: 'batctl', version: '2025.4-r1' }],
    'packages/telephony': [{ name: 'asterisk', version: '22.5.2-r1' }],
    'packages/video': [{ name: 'ffmpeg-mini', version: '7.1.1-r1' }],
    'packages/extra': [{ name: 'extra', version: '1~abc1234-r1' }],
  };

  test('need each other, and one of packages for every arch is for this one', async () => {
    const { urls, keys } = await feeds(contents);
    await using service = await serviceOf(urls, { archs: [arch], keys, complete: true });
    expect((await service.get('/device')).json<{ archs: unknown }>().archs).toEqual([arch]);
    expect(await versions(service, 'kmod-usb')).toEqual(['6.12.87-r1']);
    expect(await versions(service, 'kmod-old')).toEqual([]);
    expect(await versions(service, 'luci')).toEqual(['25.292.66247~75e41cb']);
    expect(await versions(service, 'extra')).toEqual(['1~abc1234-r1']);
  });

  test('a release is dated from when it was first seen, and the explanation says why', async () => {
    const { urls, keys } = await feeds(contents);
    const began = Math.floor(Date.now() / 1000) * 1000;
    await using service = await serviceOf(urls, { archs: [arch], keys });
    const { releases } = (await service.get('/device/curl')).json<{
      releases: { releaseTimestamp: string }[];
    }>();
    expect(releases).toEqual([
      { version: '8.16.0-r1', revision: 1, releaseTimestamp: expect.any(String) as string },
    ]);
    expect(Date.parse(releases[0]?.releaseTimestamp ?? '')).toBeGreaterThanOrEqual(began);
    expect((await service.get('/device/curl/explain')).body).toContain('no build times in the index');
  });
});
