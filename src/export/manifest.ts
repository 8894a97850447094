/** `manifest.json` lists the files of an export and marks a folder as one. */
import { createHash } from 'node:crypto';
import { isDatasourceName } from '../config/schema.ts';
import { printableJson } from '../errors.ts';
import { HOME_PAGE, type SiteFile } from './site.ts';

export const MANIFEST = 'manifest.json';
const FORMAT = 1;

export interface ManifestDatasource {
  readonly generation: string;
  readonly archs: readonly string[];
  /** The number of names with an answer. */
  readonly names: number;
}

export interface ManifestFile {
  readonly sha256: string;
  readonly bytes: number;
  readonly servedAt?: string;
}

/** Without times, so that two exports of the same indexes are the same. */
export interface Manifest {
  readonly format: number;
  readonly datasources: Readonly<Record<string, ManifestDatasource>>;
  readonly files: Readonly<Record<string, ManifestFile>>;
}

export function manifestFile(body: Uint8Array, { servedAt }: Pick<SiteFile, 'servedAt'>): ManifestFile {
  const sha256 = createHash('sha256').update(body).digest('hex');
  return { sha256, bytes: body.length, ...(servedAt !== undefined && { servedAt }) };
}

/** JSON with one line per file, for `diff`. */
export function renderManifest(
  datasources: Readonly<Record<string, ManifestDatasource>>,
  files: ReadonlyMap<string, ManifestFile>,
): string {
  const lines = [...files].map(([path, file]) => `${printableJson(path)}:${printableJson(file)}`);
  const head = `"format":${FORMAT},\n"datasources":${JSON.stringify(datasources)}`;
  return `{\n${head},\n"files":{\n${lines.join(',\n')}\n}\n}\n`;
}

/** The datasources of a manifest, and its front page if it has one; `undefined` for text that is not a manifest of ours. */
export function manifestEntries(text: string): readonly string[] | undefined {
  try {
    const { format, datasources, files } = JSON.parse(text) as Partial<Record<keyof Manifest, unknown>>;
    if (format !== FORMAT || typeof datasources !== 'object' || datasources === null) return undefined;
    const names = Object.keys(datasources);
    if (!names.every(isDatasourceName)) return undefined;
    const hasPages = typeof files === 'object' && files !== null && Object.hasOwn(files, HOME_PAGE);
    return hasPages ? [...names, HOME_PAGE, `${HOME_PAGE}.gz`, `${HOME_PAGE}.br`] : names;
  } catch {
    return undefined;
  }
}
