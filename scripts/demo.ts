/**
 * `npm run demo`: a tour without a network. Makes a small signed repository, serves it, asks as Renovate and curl do,
 * publishes a newer version on one arch and then on both, and shows how the answer changes.
 */
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { pkg, signedIndex, testKey, type Stanza } from '../test/support/signed-index.ts';
import { addressOf, start, type RunningProcess } from '../test/support/process.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const folder = await mkdtemp(join(tmpdir(), 'apk-beacon-demo-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const keyFile = join(folder, 'demo.rsa.pub');
const repository = join(folder, 'os');

async function publish(arch: string, stanzas: readonly Stanza[]): Promise<void> {
  const index = await signedIndex(
    stanzas.map((stanza) => ({ ...stanza, A: arch })),
    [{ key: testKey('demo.rsa.pub') }],
  );
  await mkdir(join(repository, arch), { recursive: true });
  await writeFile(join(repository, arch, 'APKINDEX.tar.gz'), index);
}

async function ask(address: string, path: string): Promise<void> {
  // As curl asks: an explanation is text for it.
  const { body } = await request(address + path, { headers: { 'user-agent': 'curl/8' } });
  say(`\n$ curl ${address}${path}`);
  say((await body.text()).trimEnd());
}

async function refresh(service: RunningProcess, arch: string): Promise<void> {
  service.child.kill('SIGHUP');
  await service.line(new RegExp(`${arch}.*changed: 1 added`));
}

await writeFile(keyFile, testKey('demo.rsa.pub').pem);
const now = Math.floor(Date.now() / 1000);
const old = [pkg('containerd', '2.3.3-r4', { t: String(now - 86_400) })];
const both = [...old, pkg('containerd', '2.3.4-r0', { t: String(now) })];
await publish('x86_64', old);
await publish('aarch64', old);
say(`A signed repository for x86_64 and aarch64 is at ${repository}.`);

const options = ['--listen', '127.0.0.1:0', '--cache-dir', 'none', '--name', 'demo'];
await using service = start([...options, '--repository', repository, '--key', keyFile]);
const address = await addressOf(service);
await ask(address, '/demo/containerd');
await ask(address, '/demo/containerd/latest');

say('\nThe newer build is published for x86_64 only. An image for both archs could not be built with it:');
await publish('x86_64', both);
await refresh(service, 'x86_64');
await ask(address, '/demo/containerd/latest');
await ask(address, '/demo/containerd/explain?current=2.3.3-r4');

say('\nNow aarch64 has it, too:');
await publish('aarch64', both);
await refresh(service, 'aarch64');
await ask(address, '/demo/containerd');
await ask(address, '/demo/containerd/latest');

service.child.kill('SIGTERM');
await service.ended;
