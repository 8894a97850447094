/** The body of `POST /-/check` and its answer: pins without their places, and a judgment of each. */
import * as z from 'zod';
import { UsageError } from '../errors.ts';
import { steps, type AskedPin, type Judgment, type Policy } from './judge.ts';

/** The limit per request; clients with more pins send several requests. */
export const MAX_PINS = 2000;

const text = z.string().max(512);
const pinSchema = z.object({
  ...{ text, name: text, operator: z.string().max(8), version: text },
  tag: text.optional(),
  tagIsBehind: z.boolean(),
  tool: z.enum(['apk', 'apko']),
  isRuntime: z.boolean(),
  isLocked: z.boolean(),
  context: z.int().nonnegative(),
  world: z.string().max(64),
});
const schema = z.object({
  policy: z.object({
    within: z.enum(steps),
    minAge: z.number().nonnegative(),
    security: z.boolean().optional(),
  }),
  built: z.array(text).max(20_000),
  contexts: z.array(z.record(z.string().max(32), z.string().max(256 * 1024))).max(MAX_PINS),
  pins: z.array(pinSchema).max(MAX_PINS),
});

export interface CheckRequest {
  readonly policy: Policy;
  readonly built: ReadonlySet<string>;
  readonly pins: readonly AskedPin[];
}

/** Throws `UsageError` for an invalid body. */
export function parseCheckRequest(body: unknown): CheckRequest {
  const result = schema.safeParse(body);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new UsageError(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unreadable'}`);
  }
  const { policy, built, contexts, pins } = result.data;
  const asked = pins.map(({ context, tag, ...pin }): AskedPin => {
    const own = contexts[context];
    if (!own) throw new UsageError(`pins: there is no context ${context}`);
    return { ...pin, tag, context: own };
  });
  return { policy, built: new Set(built), pins: asked };
}

/** Bodies with these pins. The pins of a world stay together unless they exceed one request. */
export function checkBodies(
  files: readonly (readonly AskedPin[])[],
  { policy, built }: Pick<CheckRequest, 'policy' | 'built'>,
): readonly string[] {
  const bodies: string[] = [];
  let batch: AskedPin[] = [];
  const send = (): void => {
    if (batch.length === 0) return;
    const contexts = [...new Set(batch.map(({ context }) => context))];
    const places = new Map(contexts.map((context, i) => [context, i]));
    const pins = batch.map((pin) => ({ ...pin, context: places.get(pin.context) }));
    bodies.push(JSON.stringify({ policy, built: [...built], contexts, pins }));
    batch = [];
  };
  for (const pins of files) {
    if (batch.length + pins.length > MAX_PINS) send();
    for (const pin of pins) {
      batch.push(pin);
      if (batch.length === MAX_PINS) send();
    }
  }
  send();
  return bodies;
}

const judgments = z.object({
  judgments: z.array(
    z.object({
      datasource: z.string().optional(),
      notAsked: z.string().optional(),
      problems: z.array(
        z.object({
          ...{ rule: z.string(), message: z.string(), archs: z.array(z.string()).optional() },
          since: z.string().optional(),
          level: z.enum(['error', 'warning', 'note']).optional(),
        }),
      ),
      target: z.string().optional(),
      newest: z.string().optional(),
      step: z.enum(steps).optional(),
    }),
  ),
});

/** Throws for an invalid answer. */
export function parseJudgments(text: string): readonly Judgment[] {
  return judgments.parse(JSON.parse(text)).judgments as readonly Judgment[];
}
