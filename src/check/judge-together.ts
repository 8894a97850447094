/** Judges files together, because a pin of an included file gets the same version in all images with it. */
import type { Pin } from '../pins/pin.ts';
import type { CheckedFile } from './findings.ts';
import { planRaises } from './fix.ts';
import type { Judgment, PinToJudge } from './judgment.ts';

/**
 * The judgments of each file's pins, after those of included files. A pin of an included file is raised only if that file
 * is among `files` and all images with it get the same version. If a pin stays because of that, or because its version
 * cannot be changed in the text, the files with it are judged again. `judge` gets the pins of each file and returns the
 * judgments of all in one list.
 */
export async function judgeTogether(
  files: readonly CheckedFile[],
  judge: (pins: readonly (readonly PinToJudge[])[]) => Promise<readonly Judgment[]>,
): Promise<readonly (readonly Judgment[])[]> {
  const held = new HeldPins(files);
  const judgments = files.map((): readonly Judgment[] => []);
  for (let open = [...files.entries()]; open.length > 0; open = held.add(judgments)) {
    const asked = open.map(([i, file]) => pinsToJudge(file, i, (pin) => held.stays(file, pin)));
    const answers = judgmentsOf(
      open.map(([, file]) => file),
      await judge(asked),
    );
    for (const [k, [i]] of open.entries()) judgments[i] = answers[k] ?? [];
  }
  return files.map((file, i) =>
    allPins(file).map((pin, k) => {
      const heldBecause = held.reason(file, pin);
      const judgment = judgments[i]?.[k] as Judgment;
      return heldBecause === undefined ? judgment : { ...judgment, heldBecause };
    }),
  );
}

/** The pins that must stay, and why. */
class HeldPins {
  readonly #files: readonly CheckedFile[];
  readonly #paths: ReadonlySet<string>;
  /** Pins of included files. */
  readonly #shared: ReadonlySet<string>;
  readonly #reasons = new Map<string, string>();

  constructor(files: readonly CheckedFile[]) {
    this.#files = files;
    this.#paths = new Set(files.map(({ path }) => path));
    this.#shared = new Set(
      files.flatMap((file) => (file.found.included ?? []).map((pin) => sharedKey(file, pin))),
    );
  }

  reason(file: CheckedFile, pin: Pin): string | undefined {
    return this.#reasons.get(this.#keyOf(file, pin));
  }

  stays(file: CheckedFile, pin: Pin): boolean {
    return !this.#paths.has(pin.includedFrom ?? file.path) || this.reason(file, pin) !== undefined;
  }

  /** Adds the pins that must stay according to `judgments`. Returns the files that have one of those, with their index. */
  add(judgments: readonly (readonly Judgment[])[]): [number, CheckedFile][] {
    const found = new Map<string, string>();
    const first = new Map<string, { readonly path: string; readonly target: string | undefined }>();
    for (const [i, file] of this.#files.entries()) {
      const {
        path,
        found: { included = [] },
      } = file;
      const { because } = planRaises(file, judgments[i] ?? []);
      for (const [k, pin] of allPins(file).entries()) {
        const key = this.#keyOf(file, pin);
        if (this.#reasons.has(key)) continue;
        const { target, heldBecause, notAsked } = judgments[i]?.[k] as Judgment;
        const reason = heldBecause ?? because[k - included.length];
        if (!this.#shared.has(key)) {
          // A conflict is judged with the old version already.
          if (reason !== undefined && heldBecause === undefined) found.set(key, reason);
          continue;
        }
        if (found.has(key) || (notAsked !== undefined && pin.includedFrom !== undefined)) continue;
        const other = first.get(key) ?? { path, target };
        first.set(key, other);
        const [one, two] = [other.target, target].map((each) => each ?? 'no newer version');
        if (reason !== undefined) found.set(key, reason);
        else if (one !== two) found.set(key, `${other.path} would get ${one}, and ${path} ${two}`);
      }
    }
    for (const [key, reason] of found) this.#reasons.set(key, reason);
    return [...this.#files.entries()].filter(([, file]) =>
      allPins(file).some((pin) => found.has(this.#keyOf(file, pin))),
    );
  }

  /** A pin of an included file is the same in all images. */
  #keyOf(file: CheckedFile, pin: Pin): string {
    const key = sharedKey(file, pin);
    return this.#shared.has(key) ? key : `${key}\n${pin.range.start}`;
  }
}

function sharedKey({ path }: CheckedFile, { includedFrom = path, text }: Pin): string {
  return `${includedFrom} ${text}`;
}

/**
 * The pins of a file, ready for judgment, after those of included files. `index` distinguishes the worlds of different
 * files.
 */
export function pinsToJudge(
  file: CheckedFile,
  index: number,
  stays: (pin: Pin) => boolean = () => false,
): readonly PinToJudge[] {
  return allPins(file).map((pin) => {
    const { text, name, operator, version, tag, tagIsBehind, tool, isRuntime, isLocked, context } = pin;
    return {
      ...{ text, name, operator, version, tag, tagIsBehind, tool, isRuntime, isLocked, context },
      world: `${index}:${pin.world}`,
      ...(stays(pin) && { stays: true }),
    };
  });
}

function allPins({ found: { included = [], pins } }: CheckedFile): readonly Pin[] {
  return [...included, ...pins];
}

/** Of the judgments of `pinsToJudge` of all files, those of each file. */
export function judgmentsOf(
  files: readonly CheckedFile[],
  judgments: readonly Judgment[],
): readonly (readonly Judgment[])[] {
  let at = 0;
  return files.map(({ found: { included = [], pins } }) =>
    judgments.slice(at, (at += included.length + pins.length)),
  );
}
