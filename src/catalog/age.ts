/** What may be behind the `@` of a datasource: an age (`/wolfi@7d/curl`) or a time (`/wolfi@2026-07-24T06:00Z/curl`). */
import { parseTime, timeText } from './time.ts';

/** Only what is so old (seconds), or what was there at a time (unix milliseconds). */
export type When = { readonly age: number } | { readonly at: number };

const HOUR = 3600;
const DAY = 24 * HOUR;
const MOST = 365 * DAY;
const EXPECTED_AGE = 'expected an age from 1h to 365d behind the @, such as wolfi@7d or wolfi@36h';
const EXPECTED_TIME =
  'expected a time with its zone behind the @, such as wolfi@2026-07-24T06:00Z or wolfi@2026-07-24T08:00+02:00, or a date, which is midnight UTC';

/** The age or time, or what is wrong with the text. */
export function parseWhen(text: string): When | { readonly fact: string } {
  if (/^\d{4}-/.test(text)) {
    const at = parseTime(text);
    return at === undefined ? { fact: EXPECTED_TIME } : { at };
  }
  const [, amount, unit] = /^([1-9]\d{0,4})([hd])$/.exec(text) ?? [];
  const age = Number(amount) * (unit === 'd' ? DAY : HOUR);
  return age <= MOST ? { age } : { fact: `${EXPECTED_AGE}, or a time such as wolfi@2026-07-24T06:00Z` };
}

/** `wolfi@7d`, `wolfi@2026-07-24T06:00Z`; the name itself without an age or time. */
export function nameWith(datasource: string, when: When | undefined): string {
  if (!when) return datasource;
  if ('at' in when) return `${datasource}@${timeText(when.at)}`;
  const { age } = when;
  return `${datasource}@${age % DAY === 0 ? `${age / DAY}d` : `${age / HOUR}h`}`;
}

/** `7 days` */
export function ageInWords(age: number): string {
  const [amount, unit] = age % DAY === 0 ? [age / DAY, 'day'] : [age / HOUR, 'hour'];
  return `${amount} ${unit}${amount === 1 ? '' : 's'}`;
}
