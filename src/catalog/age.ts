/**
 * The suffix after the `@` of a datasource: an age (`7d` in `/wolfi@7d/curl`, or `7d+security`) or a time
 * (`/wolfi@2026-07-24T06:00Z/curl`).
 */
import { counted } from '../errors.ts';
import { parseTime, timeText } from './time.ts';

/** Only packages of this age, or the packages at a past time (unix milliseconds). */
export type When = { readonly age: Age } | { readonly at: number };

export interface Age {
  readonly seconds: number;
  /** Fixes do not wait. */
  readonly security: boolean;
}

const HOUR = 3600;
const DAY = 24 * HOUR;
const MOST = 365 * DAY;
const EXPECTED_AGE =
  'expected an age from 1h to 365d after the @, such as wolfi@7d or wolfi@36h, or with fixes at once wolfi@7d+security, or a time such as wolfi@2026-07-24T06:00Z';
const EXPECTED_TIME =
  'expected a time with its zone after the @, such as wolfi@2026-07-24T06:00Z or wolfi@2026-07-24T08:00+02:00, or a date, which is midnight UTC';

/** Parses an age or time; `fact` says what is wrong. Some clients send a plus sign in a path as a blank. */
export function parseWhen(text: string): When | { readonly fact: string } {
  if (/^\d{4}-/.test(text)) {
    const at = parseTime(text.replace(' ', '+'));
    return at === undefined ? { fact: EXPECTED_TIME } : { at };
  }
  const [, amount, unit, security] = /^([1-9]\d{0,4})([hd])([+ ]security)?$/.exec(text) ?? [];
  const seconds = Number(amount) * (unit === 'd' ? DAY : HOUR);
  return seconds <= MOST ? { age: { seconds, security: security !== undefined } } : { fact: EXPECTED_AGE };
}

/** `wolfi@7d`, `wolfi@2026-07-24T06:00Z`; the name itself without an age or time. */
export function nameWith(datasource: string, when: When | undefined): string {
  if (!when) return datasource;
  if ('at' in when) return `${datasource}@${timeText(when.at)}`;
  const { amount, unit } = rounded(when.age);
  return `${datasource}@${amount}${unit.charAt(0)}${when.age.security ? '+security' : ''}`;
}

/** `7 days` */
export function ageInWords(age: Age): string {
  const { amount, unit } = rounded(age);
  return counted(amount, unit);
}

function rounded({ seconds }: Age): { readonly amount: number; readonly unit: string } {
  return seconds % DAY === 0
    ? { amount: seconds / DAY, unit: 'day' }
    : { amount: seconds / HOUR, unit: 'hour' };
}
