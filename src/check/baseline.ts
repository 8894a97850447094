/** A baseline: known findings of a repository, which no longer fail a check. */
import * as z from 'zod';
import { UsageError } from '../errors.ts';
import type { Finding } from './findings.ts';

const schema = z.strictObject({
  version: z.literal(1),
  findings: z.array(
    z.object({ fingerprint: z.string(), rule: z.string(), file: z.string(), pin: z.string().optional() }),
  ),
});

export function baselineText(findings: readonly Finding[]): string {
  const kept = findings.map(({ fingerprint, rule, file, pin }) => ({ rule, file, pin, fingerprint }));
  return `${JSON.stringify({ version: 1, findings: kept }, undefined, 2)}\n`;
}

/** Throws `UsageError` for an invalid text. */
export function parseBaseline(text: string, path: string): ReadonlySet<string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new UsageError(`${path}: not JSON`, { cause });
  }
  const result = schema.safeParse(value);
  if (!result.success) throw new UsageError(`${path}: not a baseline of apk-beacon check`);
  return new Set(result.data.findings.map(({ fingerprint }) => fingerprint));
}
