/** `apk add` in the scripts of GitLab CI files, in the commands of compose files, and in shell scripts. */
import { isMap, isScalar, isSeq, type YAMLMap } from 'yaml';
import { packagesAdded } from './apk-add.ts';
import { parseYaml } from './definition.ts';
import { commandOf, dockerfilePins } from './dockerfile.ts';
import type { FilePins, Note, Pin } from './pin.ts';
import { scalarText } from './scalar.ts';
import { shellCommands } from './shell.ts';
import type { Text } from './text.ts';

export function scriptPins(file: Text, path: string): FilePins {
  const context = { kind: 'script', path };
  return { kind: 'script', ...packagesAdded(shellCommands(file), { world: 0, context }) };
}

const SCRIPTS = ['before_script', 'script', 'after_script', 'run'];

/** Of every job, in the image that it names or that `default` and the top level name. */
export function gitlabPins(file: Text, path: string): FilePins | undefined {
  const parsed = read(file);
  if (!parsed) return undefined;
  const pins: Pin[] = [];
  const notes: Note[] = [...parsed.notes];
  const roots = parsed.roots;
  const everyImage = roots.flatMap((root) => [
    imageOf(root),
    ...root.items.map(({ value }) => imageOf(value)),
  ]);
  const all = [...new Set(everyImage.flatMap((image) => image ?? []))];
  const shared = roots.flatMap((root) => imageOf(root.get('default')) ?? imageOf(root) ?? []).at(-1);
  const variables = new Map(roots.flatMap((root) => variablesOf(root, file)));
  const jobs = roots.flatMap((root) => [
    root,
    ...root.items.flatMap(({ value }) => (isMap(value) ? [value] : [])),
  ]);
  for (const job of jobs) {
    const own = imageOf(job) ?? (job.has('extends') ? undefined : shared);
    const images = own === undefined ? all : [own];
    const context = { kind: 'script', path, images: images.map((image) => `image: ${image}`).join('\n') };
    const known = new Map([...variables, ...variablesOf(job, file)]);
    // A job's scripts are one script: what is set in one line is known in the next.
    for (const name of SCRIPTS) {
      for (const line of lines(job.get(name, true), file)) {
        const commands = shellCommands(line, { variable: (each) => known.get(each) });
        const added = packagesAdded(commands, { world: job.range?.[0] ?? 0, context });
        pins.push(...added.pins);
        notes.push(...added.notes);
      }
    }
  }
  return { kind: 'gitlab-ci', pins, notes };
}

/** `command` and `entrypoint` of services, and Dockerfiles that stand in `build.dockerfile_inline`. */
export function composePins(file: Text, path: string): FilePins | undefined {
  const parsed = read(file);
  if (!parsed) return undefined;
  const pins: Pin[] = [];
  const notes: Note[] = [...parsed.notes];
  const services = parsed.roots.map((root) => root.get('services')).filter((each) => isMap(each));
  for (const service of services.flatMap((each) => each.items.map(({ value }) => value))) {
    if (!isMap(service)) continue;
    const image = service.get('image');
    const images = typeof image === 'string' ? `image: ${image}` : '';
    const surroundings = { world: service.range?.[0] ?? 0, context: { kind: 'script', path, images } };
    for (const name of ['entrypoint', 'command']) {
      const value = service.get(name, true);
      const words = lines(value, file);
      const commands = isSeq(value) ? commandOf(words) : words.flatMap((text) => shellCommands(text));
      const added = packagesAdded(commands, surroundings);
      pins.push(...added.pins);
      notes.push(...added.notes);
    }
    const build = service.get('build');
    const inline = isMap(build) ? scalarText(build.get('dockerfile_inline', true), file) : undefined;
    if (inline) {
      const inner = dockerfilePins(inline);
      pins.push(...inner.pins);
      notes.push(...inner.notes);
    }
  }
  return { kind: 'compose', pins, notes };
}

function read(file: Text): { roots: readonly YAMLMap[]; notes: readonly Note[] } | undefined {
  if (!/\bapk\b/.test(file.value)) return undefined;
  const documents = parseYaml(file.value);
  const notes = documents.flatMap(({ errors: [error] }): Note[] => {
    if (!error) return [];
    const start = file.at(error.pos[0]);
    const message = error.message.split('\n', 1)[0] ?? '';
    return [{ reason: 'unreadable', message, range: { start, end: start + 1 } }];
  });
  return { roots: documents.flatMap(({ contents }) => (isMap(contents) ? [contents] : [])), notes };
}

function imageOf(node: unknown): string | undefined {
  if (!isMap(node)) return undefined;
  const image = node.get('image');
  const name = isMap(image) ? image.get('name') : image;
  return typeof name === 'string' ? name : undefined;
}

function variablesOf(node: YAMLMap, file: Text): readonly (readonly [string, Text])[] {
  const variables = node.get('variables');
  if (!isMap(variables)) return [];
  return variables.items.flatMap(({ key, value }) => {
    const text = scalarText(isMap(value) ? value.get('value', true) : value, file);
    return isScalar(key) && text && !text.value.includes('$') ? [[String(key.value), text] as const] : [];
  });
}

/** Of a list of lines, also in lists within it. */
function lines(node: unknown, file: Text): readonly Text[] {
  if (isSeq(node)) return node.items.flatMap((item) => lines(item, file));
  const text = scalarText(node, file);
  return text ? [text] : [];
}
