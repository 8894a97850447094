/** The body of `POST /-/check` and its answer: pins without their places, and a judgment of each. */
import * as z from 'zod';
import { IndexError, UsageError } from '../errors.ts';
import { steps, type PinToJudge, type Judgment, type Policy, type Problem } from './judgment.ts';
import { isLevel, isRule } from './rules.ts';

/** The limit per request; clients with more pins send several requests. */
export const MAX_PINS = 2000;

const text = z.string().max(512);
const pinSchema = z.object({
  text: text.describe('as the tool gets it: `curl=8.14.1-r2`'),
  name: text,
  operator: text.describe('empty for a package of any version'),
  version: text.describe('empty without an operator'),
  tag: text.optional(),
  tagIsBehind: z.boolean().describe('apk has the tag before the operator, apko after the version'),
  tool: z.enum(['apk', 'apko']).describe('whose rules apply'),
  isRuntime: z.boolean().describe('a runtime dependency in a recipe'),
  isLocked: z.boolean().describe('in a lock file'),
  context: z.int().nonnegative().describe('a place in `contexts`'),
  world: z.string().max(64).describe('the same for pins that are installed together'),
  stays: z.boolean().optional().describe('its version stays, whatever the newer ones'),
});
export const checkRequestSchema = z.object({
  policy: z
    .object({
      within: z.enum(steps).describe('the largest update'),
      minAge: z.number().nonnegative().describe('milliseconds since the version was released'),
      security: z
        .boolean()
        .optional()
        .describe('only to the lowest version that fixes most, whatever its age'),
    })
    .describe('the versions to which a pin may be raised'),
  built: z.array(text).max(20_000).describe('names of packages that the files build themselves'),
  contexts: z
    .array(z.record(z.string().max(32), z.string().max(256 * 1024)))
    .max(MAX_PINS)
    .describe('the parameters of `/-/for/{package}` that choose the datasource of a pin'),
  pins: z.array(pinSchema).max(MAX_PINS),
});

export interface CheckRequest {
  readonly policy: Policy;
  readonly built: ReadonlySet<string>;
  readonly pins: readonly PinToJudge[];
}

/** Throws `UsageError` for an invalid body. */
export function parseCheckRequest(body: unknown): CheckRequest {
  const result = checkRequestSchema.safeParse(body);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new UsageError(`${issue?.path.join('.') || 'the body'}: ${issue?.message ?? 'unreadable'}`);
  }
  const { policy, built, contexts, pins } = result.data;
  const asked = pins.map(({ context, tag, ...pin }): PinToJudge => {
    const own = contexts[context];
    if (!own) throw new UsageError(`pins: there is no context ${context}`);
    return { ...pin, tag, context: own };
  });
  return { policy, built: new Set(built), pins: asked };
}

export interface CheckBody {
  readonly body: string;
  /** The place of each of its pins among all. */
  readonly places: readonly number[];
}

/** Bodies with these pins. The pins of a world stay together unless they exceed one request. */
export function checkBodies(
  pins: readonly PinToJudge[],
  { policy, built }: Pick<CheckRequest, 'policy' | 'built'>,
): readonly CheckBody[] {
  const bodies: CheckBody[] = [];
  let places: number[] = [];
  const send = (): void => {
    if (places.length === 0) return;
    const batch = places.map((place) => pins[place] as PinToJudge);
    const contexts = new ContextTable();
    const asked = batch.map((pin) => ({ ...pin, context: contexts.placeOf(pin.context) }));
    const names = new Set(batch.map(({ name }) => name));
    const request = { policy, built: [...names.intersection(built)], contexts: contexts.all, pins: asked };
    bodies.push({ body: JSON.stringify(request), places });
    places = [];
  };
  for (const world of Map.groupBy(pins.keys(), (place) => pins[place]?.world).values()) {
    if (places.length + world.length > MAX_PINS) send();
    for (const place of world) {
      places.push(place);
      if (places.length === MAX_PINS) send();
    }
  }
  send();
  return bodies;
}

/** Contexts, each once: files of a repository often say the same. */
class ContextTable {
  readonly all: PinToJudge['context'][] = [];
  readonly #byContext = new Map<PinToJudge['context'], number>();
  readonly #byText = new Map<string, number>();

  placeOf(context: PinToJudge['context']): number {
    let place = this.#byContext.get(context);
    if (place === undefined) {
      const text = JSON.stringify(context);
      place = this.#byText.get(text) ?? this.all.push(context) - 1;
      this.#byText.set(text, place);
      this.#byContext.set(context, place);
    }
    return place;
  }
}

/** Throws for an invalid answer. Checked by hand: a schema would be the slowest part for thousands of judgments. */
export function parseJudgments(text: string): readonly Judgment[] {
  const { judgments } = JSON.parse(text) as { readonly judgments?: unknown };
  if (!Array.isArray(judgments) || !judgments.every(isJudgment))
    throw new IndexError('fetch-failed', 'the answer of the service has no judgments');
  return judgments;
}

function isJudgment(value: unknown): value is Judgment {
  const { problems, ...texts } = Object(value) as Record<string, unknown>;
  return (
    Array.isArray(problems) &&
    problems.every(isProblem) &&
    ['datasource', 'notAsked', 'target', 'heldBecause', 'newest', 'step'].every((key) =>
      isTextOrNone(texts[key]),
    )
  );
}

function isProblem(value: unknown): value is Problem {
  const { rule, message, archs = [], level = 'error', since } = Object(value) as Record<string, unknown>;
  return (
    typeof rule === 'string' &&
    isRule(rule) &&
    typeof message === 'string' &&
    Array.isArray(archs) &&
    archs.every((arch) => typeof arch === 'string') &&
    isLevel(level) &&
    isTextOrNone(since)
  );
}

function isTextOrNone(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}
