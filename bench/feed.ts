/** A full-size feed of advisories in the shape of Chainguard's v3; all identifiers are made up. */
import { once } from 'node:events';
import { createWriteStream, existsSync, renameSync } from 'node:fs';
import { createGzip } from 'node:zlib';

const archs = ['x86_64', 'aarch64'];
const alphabet = '23456789cfghjmpqrvwx';
const BLOCK = 512;

/** Writes `records` records about the packages `names` to `file`, unless the file exists. */
export async function makeFeed(file: string, records: number, names: readonly string[]): Promise<void> {
  if (existsSync(file)) return;
  const gzip = createGzip({ level: 1 });
  const output = gzip.pipe(createWriteStream(`${file}.new`));
  let pending: Buffer[] = [];
  for (let made = 0, pair = 0; made < records; pair += 1) {
    // Few packages have most of the records.
    const name = names[Math.floor((names.length - 1) * (mixed(pair, 1) / 2 ** 32) ** 3)] ?? '';
    const components = 1 + (mixed(pair, 2) % 3 === 0 ? mixed(pair, 3) % 6 : 0);
    for (let i = 0; i < archs.length * components && made < records; i += 1, made += 1) {
      pending.push(entry(record(pair, made, name, archs[i % archs.length] ?? '', i)));
      if (pending.length < 500) continue;
      if (!gzip.write(Buffer.concat(pending))) await once(gzip, 'drain');
      pending = [];
    }
  }
  gzip.end(Buffer.concat([...pending, Buffer.alloc(2 * BLOCK)]));
  await once(output, 'close');
  renameSync(`${file}.new`, file);
}

function record(pair: number, number: number, name: string, arch: string, component: number): object {
  const status = mixed(pair, 4) % 10;
  const fixed =
    status < 6
      ? `${1 + (mixed(pair, 5) % 9)}.${mixed(pair, 6) % 30}.${mixed(pair, 7) % 10}-r${mixed(pair, 8) % 20}`
      : '0';
  const isOpen = status === 9;
  const affected = ['Chainguard', 'Wolfi'].map((ecosystem) => ({
    package: { ecosystem, name, purl: `pkg:apk/${ecosystem.toLowerCase()}/${name}?arch=${arch}` },
    ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, ...(isOpen ? [] : [{ fixed }])] }],
    ecosystem_specific: {
      components: [
        {
          component_location: `/usr/bin/${name}-${component}`,
          component_name: `example.com/module-${mixed(pair, 9) % 2000}`,
          component_purl: `pkg:golang/example.com/module-${mixed(pair, 9) % 2000}@v1.${component}.0`,
          component_type: 'go-module',
          component_version: `v1.${component}.0`,
          latest_event_status: isOpen
            ? 'detection'
            : fixed === '0'
              ? 'false_positive_determination'
              : 'fixed',
          latest_event_timestamp: '2096-06-01T00:00:00Z',
        },
      ],
    },
  }));
  return {
    schema_version: '1.7.5',
    id: `CGA-${ghsa(number, 10)}`,
    published: '2096-06-01T00:00:00Z',
    modified: '2096-06-01T00:00:00Z',
    upstream: [`CVE-${2090 + (pair % 10)}-${10_000 + pair}`, `GHSA-${ghsa(pair, 11)}`],
    affected,
  };
}

function entry(value: object): Buffer {
  const content = Buffer.from(JSON.stringify(value));
  const header = Buffer.alloc(BLOCK);
  header.write(`${(value as { id: string }).id}.json`);
  header.write(`${content.length.toString(8).padStart(11, '0')} `, 124, 'latin1');
  header.write('0', 156, 'latin1');
  header.write('ustar\u000000', 257, 'latin1');
  return Buffer.concat([header, content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]);
}

function ghsa(number: number, salt: number): string {
  const letters = Array.from({ length: 12 }, (_, i) => alphabet[mixed(number, salt + i) % alphabet.length]);
  return letters.join('').replace(/(.{4})(?=.)/g, '$1-');
}

/** A 32-bit hash of the numbers (MurmurHash3's finalizer). */
function mixed(number: number, salt: number): number {
  let hash = (number * 31 + salt * 0x9e3779b1) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
