/** Detects the kind of a file by its name and beginning, and reads its pins. */
import { composePins, gitlabPins, scriptPins } from './ci.ts';
import { definitionPins, type ReadInclude } from './definition.ts';
import { dockerfilePins } from './dockerfile.ts';
import type { FilePins } from './pin.ts';
import { plainText, slice } from './text.ts';

const DOCKERFILE = /(?:^|\/|\.)(?:[Dd]ocker|[Cc]ontainer)file(?:[^/]*)$/;
const NO_DOCKERFILE = /\.(?:md|rst|txt|html?|py|js|ts|go|rs|json|ya?ml|toml|dockerignore|sha256)$/;
const SCRIPT = /\.(?:sh|bash|ash)$/;
const GITLAB = /(?:^|\/)(?:\.gitlab-ci\.ya?ml|\.gitlab\/.*\.ya?ml|[^/]+\.gitlab-ci\.ya?ml)$/;
const COMPOSE = /(?:^|\/)(?:docker-|podman-|container-)?compose(?:[.-][^/]*)?\.ya?ml$/;
/** A GitLab CI file may include files of any name; they have jobs. */
const INCLUDED_JOBS = /^ +(?:before_|after_)?script:/m;
/** Of `apk add`, and of OpenWrt's image builder. */
const ADDS = /apk|PACKAGES=/;
const LOCK = /\.lock\.json$/;
const SHEBANG = /^#!\s*\S*\/(?:env\s+)?(?:ba|da|a|z|k)?sh\b/;

/** Whether a file may have pins, by its name alone. A file without an extension may be a script. */
export function mayHavePins(path: string): boolean {
  if (isDockerfile(path) || SCRIPT.test(path) || LOCK.test(path)) return true;
  return /\.ya?ml$/.test(path) || !/\.[^/]*$/.test(path.replace(/^.*\//, ''));
}

function isDockerfile(path: string): boolean {
  return DOCKERFILE.test(path) && !NO_DOCKERFILE.test(path);
}

/** `undefined` for a file of another kind, or one that asks for no packages. */
export function readPins(path: string, text: string, readInclude?: ReadInclude): FilePins | undefined {
  try {
    return read(path, text, readInclude);
  } catch (error) {
    // YAML that is nested deeper than the stack.
    if (!(error instanceof RangeError)) throw error;
    const note = {
      reason: 'unreadable',
      message: 'it is nested too deeply',
      range: { start: 0, end: 1 },
    } as const;
    return { kind: 'apko', pins: [], notes: [note] };
  }
}

function read(path: string, whole: string, readInclude?: ReadInclude): FilePins | undefined {
  // Without the byte order mark, which is no part of the first line.
  const file = slice(plainText(whole), whole.startsWith('\uFEFF') ? 1 : 0, whole.length);
  const text = file.value;
  if (isDockerfile(path)) return ADDS.test(text) ? dockerfilePins(file) : undefined;
  if (SCRIPT.test(path) || SHEBANG.test(text)) return ADDS.test(text) ? scriptPins(file, path) : undefined;
  if (GITLAB.test(path)) return gitlabPins(file, path);
  if (COMPOSE.test(path)) return composePins(file, path);
  if (!/\.ya?ml$/.test(path) && !LOCK.test(path)) return undefined;
  const definition = definitionPins(file, readInclude);
  const jobs = definition || !INCLUDED_JOBS.test(text) ? undefined : gitlabPins(file, path);
  return jobs && jobs.pins.length > 0 ? jobs : definition;
}
