/**
 * The indexes for the measurements: generated ones, the same in every run, or a real pair of archs, signed with a new
 * key. Each has a second version with a few more packages, so that a refresh finds a change.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { splitSignatures } from '../src/apk/signature.ts';
import { indexBody, signatureMember, testKey } from '../test/support/signed-index.ts';

export const archs = ['x86_64', 'aarch64'] as const;
export type Arch = (typeof archs)[number];
export type Version = 'now' | 'next';

/** Increase it when the generated indexes change. */
const GENERATOR = 3;
const VERSIONS_A_NAME = 8;
const LATEST = 1_784_894_400;

export class Indexes {
  readonly folder: string;

  /** `folder` caches slow results between runs. The key is new in each run. */
  constructor(folder: string) {
    this.folder = join(folder, `indexes-${GENERATOR}`);
    mkdirSync(this.folder, { recursive: true });
  }

  /** The public key of the signatures. */
  get keyFile(): string {
    return join(this.folder, testKey().name);
  }

  file(set: string, arch: Arch, version: Version = 'now'): string {
    return join(this.folder, `${set}-${arch}-${version}.tar.gz`);
  }

  /** Makes and signs `set` for these archs, with the given number of packages or from `data`. */
  async make(
    set: string,
    source: { packages: number } | { data: string },
    wanted: readonly Arch[],
  ): Promise<void> {
    writeFileSync(this.keyFile, testKey().pem);
    const origin = 'data' in source ? 'real' : 'generated';
    for (const arch of wanted) {
      for (const version of ['now', 'next'] as const) {
        const file = this.file(set, arch, version);
        const body = await this.#body(`${file}.${origin}`, () => [
          ...('data' in source ? realText(source.data, arch) : generatedText(source.packages, arch)),
          ...(version === 'next' ? [addedText(arch)] : []),
        ]);
        const signature = await signatureMember(body, [{ key: testKey() }]);
        writeFileSync(file, Buffer.concat([signature, body]));
      }
    }
  }

  /** The unsigned member, made once: it is the same in every run. */
  async #body(file: string, text: () => readonly Buffer[]): Promise<Buffer> {
    if (existsSync(file)) return readFileSync(file);
    const body = await indexBody(Buffer.concat(text()));
    writeFileSync(`${file}.new`, body);
    renameSync(`${file}.new`, file);
    return body;
  }
}

/** The text of a real index, extracted from its tar. */
export function realText(data: string, arch: Arch): Buffer[] {
  const { body } = splitSignatures(readFileSync(join(data, arch, 'APKINDEX.tar.gz')));
  const tar = gunzipSync(body);
  for (let offset = 0; offset + 512 <= tar.length;) {
    const name = tar.toString('latin1', offset, tar.indexOf(0, offset));
    const size = parseInt(tar.toString('latin1', offset + 124, offset + 136), 8);
    if (name === 'APKINDEX') return [tar.subarray(offset + 512, offset + 512 + size), Buffer.from('\n')];
    offset += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`no APKINDEX in ${data}`);
}

function generatedText(packages: number, arch: Arch): Buffer[] {
  const pieces: Buffer[] = [];
  for (let row = 0; row < packages; row += 1) pieces.push(Buffer.from(stanza(row, arch)));
  return pieces;
}

function addedText(arch: Arch): Buffer {
  const rows = Array.from({ length: 100 }, (_, i) => stanza(2 ** 24 + i, arch));
  return Buffer.from(rows.join(''));
}

/** A package like Wolfi's: eight versions per name, every third with provides, few with exact dependencies. */
function stanza(row: number, arch: Arch): string {
  const random = mulberry(row);
  const index = Math.floor(row / VERSIONS_A_NAME);
  const origin = `project-${Math.floor(index / 3).toString(36)}`;
  const name = index % 3 === 0 ? origin : `${origin}-${['dev', 'doc', 'compat'][index % 3] ?? ''}`;
  const nth = row % VERSIONS_A_NAME;
  const version = `${1 + (index % 9)}.${nth >> 1}.${index % 20}-r${nth}`;
  const hex = (length: number): string =>
    Array.from({ length: length / 8 }, () => random().toString(16).padStart(8, '0')).join('');
  const identity = Buffer.from(hex(40), 'hex').toString('base64');
  const lines = [
    `C:Q1${identity}`,
    `P:${name}`,
    `V:${version}`,
    `A:${arch}`,
    `S:${random() % 10_000_000}`,
    `I:${random() % 40_000_000}`,
    `T:Part ${index % 3} of ${origin}, generated to be measured`,
    'L:Apache-2.0',
    `o:${origin}`,
    `t:${LATEST - (random() % 30_000_000)}`,
    `c:${hex(40)}`,
    `D:so:libc.so.6 so:lib${origin}.so.1${nth === 0 && index % 10 === 1 ? ` ${origin}=${version}` : ''}`,
  ];
  if (row % 3 === 0) lines.push(`p:cmd:${name}=${version} so:lib${name}.so.${nth}=${nth}.0`);
  return `${lines.join('\n')}\n\n`;
}

/** Mulberry32: a small random generator with the same results everywhere. */
function mulberry(seed: number): () => number {
  let state = (seed + 1) * 0x6d2b79f5;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}
