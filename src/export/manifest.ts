/** `manifest.json` lists the files of an export and marks a folder as one. */
import { createHash } from 'node:crypto';
import { isDatasourceName } from '../config/schema.ts';
import { printableJson } from '../errors.ts';
import { HOME_PAGE, REDIRECTS, type SiteFile } from './site.ts';

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

/**
 * The datasources of a manifest, and its files beside them with their copies; `undefined` for text that is not a manifest
 * of ours.
 */
export function manifestEntries(text: string): readonly string[] | undefined {
  try {
    const { format, datasources, files } = JSON.parse(text) as Partial<Record<keyof Manifest, unknown>>;
    if (format !== FORMAT || typeof datasources !== 'object' || datasources === null) return undefined;
    const names = Object.keys(datasources);
    if (!names.every(isDatasourceName)) return undefined;
    if (typeof files !== 'object' || files === null) return names;
    const beside = [HOME_PAGE, REDIRECTS].filter((file) => Object.hasOwn(files, file));
    return [...names, ...beside.flatMap((file) => [file, `${file}.gz`, `${file}.br`])];
  } catch {
    return undefined;
  }
}
