/** The schema of `--format json`, published as docs/check.schema.json. */
import * as z from 'zod';
import { steps } from './judgment.ts';
import { rules } from './rules.ts';

const count = z.int().nonnegative();
const position = z.strictObject({ line: z.int().positive(), column: z.int().positive() });
const ids = rules.map(({ id }) => id);

export const reportSchema = z
  .strictObject({
    version: z.literal(1),
    summary: z.strictObject({
      files: count.describe('files in which packages were found'),
      pins: count.describe('packages that they ask for, with and without a version'),
      known: count.describe('findings that are omitted because the baseline lists them'),
      error: count,
      warning: count,
      note: count,
    }),
    findings: z.array(
      z.strictObject({
        rule: z.enum(ids),
        level: z.enum(['error', 'warning', 'note']),
        file: z.string().describe('path from where the check was started, with slashes'),
        start: position,
        end: position.describe('after the last character'),
        message: z.string(),
        pin: z.string().optional().describe('as the tool gets it: `curl=8.14.1-r2`'),
        name: z.string().optional(),
        datasource: z.string().optional(),
        archs: z.array(z.string()).optional().describe('archs that it concerns'),
        since: z
          .string()
          .optional()
          .describe('day on which the needed version was withdrawn, if a ledger knows it: `2026-11-20`'),
        newest: z.string().optional(),
        step: z.enum(steps).optional(),
        target: z.string().optional().describe('what `--fix` would raise the pin to'),
        fingerprint: z.string().describe('stays the same if the finding moves within its file'),
      }),
    ),
  })
  .meta({ title: 'a report of apk-beacon check' });

export function reportJsonSchema(): object {
  return z.toJSONSchema(reportSchema, { io: 'input' });
}
