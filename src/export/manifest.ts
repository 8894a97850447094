/** `manifest.json`: what an export holds, and the mark that a folder is one. */
import { createHash } from 'node:crypto';
import { isDatasourceName } from '../config/schema.ts';
import { printableJson } from '../errors.ts';
import type { SiteFile } from './site.ts';

export const MANIFEST = 'manifest.json';
const FORMAT = 1;

export interface ManifestDatasource {
  readonly generation: string;
  readonly archs: readonly string[];
  /** How many names have an answer. */
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

/** JSON with a line a file, for `diff`. */
export function renderManifest(
  datasources: Readonly<Record<string, ManifestDatasource>>,
  files: ReadonlyMap<string, ManifestFile>,
): string {
  const lines = [...files].map(([path, file]) => `${printableJson(path)}:${printableJson(file)}`);
  const head = `"format":${FORMAT},\n"datasources":${JSON.stringify(datasources)}`;
  return `{\n${head},\n"files":{\n${lines.join(',\n')}\n}\n}\n`;
}

/** The names of the datasources in a manifest; `undefined` for text that is none of ours, such as one with other names. */
export function manifestDatasources(text: string): readonly string[] | undefined {
  try {
    const { format, datasources } = JSON.parse(text) as { format?: unknown; datasources?: unknown };
    if (format !== FORMAT || typeof datasources !== 'object' || datasources === null) return undefined;
    const names = Object.keys(datasources);
    return names.every(isDatasourceName) ? names : undefined;
  } catch {
    return undefined;
  }
}
