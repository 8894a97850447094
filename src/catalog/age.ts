/** The age of a view, in seconds: `7d` in `/wolfi@7d/curl`. */

const HOUR = 3600;
const DAY = 24 * HOUR;
const MOST = 365 * DAY;
const EXPECTED = 'expected an age from 1h to 365d behind the @, such as wolfi@7d or wolfi@36h';

/** The age, or what is wrong with the text. */
export function parseAge(text: string): number | { readonly fact: string } {
  if (/^\d{4}-/.test(text)) return { fact: `only ages are supported, not times: ${EXPECTED}` };
  const [, amount, unit] = /^([1-9]\d{0,4})([hd])$/.exec(text) ?? [];
  const seconds = Number(amount) * (unit === 'd' ? DAY : HOUR);
  return seconds <= MOST ? seconds : { fact: EXPECTED };
}

/** `wolfi@7d`; the name itself without an age. */
export function nameWithAge(datasource: string, age: number | undefined): string {
  if (age === undefined) return datasource;
  return `${datasource}@${age % DAY === 0 ? `${age / DAY}d` : `${age / HOUR}h`}`;
}

/** `7 days` */
export function ageInWords(age: number): string {
  const [amount, unit] = age % DAY === 0 ? [age / DAY, 'day'] : [age / HOUR, 'hour'];
  return `${amount} ${unit}${amount === 1 ? '' : 's'}`;
}
