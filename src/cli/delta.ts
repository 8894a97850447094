/** `delta`: what hosts download when an image changes, before it is built. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { DeltaLayer, PackageChange } from '../delta/delta.ts';
import { isLock, readImage } from '../delta/definition.ts';
import { codeOf, printable, printableJson, UsageError } from '../errors.ts';
import { deltasHere, type ArchDelta, type ImageFile } from '../service/delta.ts';

export interface DeltaOptions {
  readonly json: boolean;
  /** The datasource to resolve the images in; the default one if absent. */
  readonly datasource: string | undefined;
  readonly signal: AbortSignal;
}

export async function deltaCommand(
  words: readonly string[],
  config: Config,
  { json, datasource = config.defaultDatasource, signal }: DeltaOptions,
): Promise<number> {
  const [old, now, ...more] = words;
  if (old === undefined || now === undefined || more.length > 0) throw new UsageError('usage: delta OLD NEW');
  // A former version of a file is often not in its folder, but includes the same files.
  const folders = [dirname(now), dirname(old), '.'];
  const [before, after] = [readImageFile(old, folders), readImageFile(now, folders)];
  const deltas = await deltasHere(before, after, { config, datasource, signal });
  const text = json ? printableJson({ old, new: now, archs: deltas }, 2) : deltas.map(describe).join('\n');
  process.stdout.write(`${text}\n`);
  return 0;
}

function readImageFile(file: string, folders: readonly string[]): ImageFile {
  const image = readImage(readText(file), file, (name) => readIn(folders, name));
  if (!isLock(image)) return { file, image, budget: undefined };
  const name = image.definition;
  if (name === undefined) return { file, image, budget: undefined };
  const definition = readImage(readIn(folders, name), name, (inner) => readIn(folders, inner));
  return { file, image, budget: isLock(definition) ? undefined : definition.budget };
}

/** Finds included files as apko does, relative to the working directory, but tries several folders. */
function readIn(folders: readonly string[], name: string): string {
  for (const folder of folders) {
    try {
      return readFileSync(join(folder, name), 'utf8');
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
  throw new UsageError(`${name} is in none of ${folders.join(', ')}`);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new UsageError(`cannot read ${file}`, { cause });
  }
}

const MOST = 12;

function describe({ arch, changes, layers, top, bytes, whole, withdrawn }: ArchDelta): string {
  if (bytes === 0) return `${arch}: hosts download nothing of ${whole.layers} layers`;
  const count = layers.length + (top > 0 ? 1 : 0);
  const share = ((100 * bytes) / whole.bytes).toFixed(1);
  const lines = [
    `${arch}: hosts download about ${size(bytes)} of ${size(whole.bytes)} (${share} %), ${count} of ${whole.layers} layers`,
    ...changes.slice(0, MOST).map((change) => `  ${changeText(change)}`),
    ...(changes.length > MOST ? [`  … ${changes.length - MOST} more packages`] : []),
    ...layers.map((layer) => `  ${size(layer.bytes).padStart(9)}  ${layerText(layer)}`),
    ...(top > 0 ? [`  ${size(top).padStart(9)}  the layer on top, with the database of packages`] : []),
  ];
  if (withdrawn.length > 0)
    lines.push(
      `  no longer in the index, counted as the newest version: ${withdrawn.map(printable).join(', ')}`,
    );
  return lines.join('\n');
}

function changeText({ name, from, to }: PackageChange): string {
  return printable(`${name} ${from ?? '(new)'} → ${to ?? '(gone)'}`);
}

function layerText({ origins, packages }: DeltaLayer): string {
  if (origins.length === 1) return printable(`${origins[0]}: ${packages.join(', ')}`);
  return printable(
    `${origins.length} origins in one layer: ${origins.slice(0, MOST).join(', ')}${origins.length > MOST ? ', …' : ''}`,
  );
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
