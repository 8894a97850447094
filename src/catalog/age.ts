/** The age of a view: `7d` in `/wolfi@7d/curl`, or `7d+security`. */

export interface Age {
  readonly seconds: number;
  /** Fixes do not wait. */
  readonly security: boolean;
}

const HOUR = 3600;
const DAY = 24 * HOUR;
const MOST = 365 * DAY;
const EXPECTED =
  'expected an age from 1h to 365d behind the @, such as wolfi@7d or wolfi@36h, or with fixes at once wolfi@7d+security';

/** The age, or what is wrong with the text. Some clients take a plus sign in a path for a blank. */
export function parseAge(text: string): Age | { readonly fact: string } {
  if (/^\d{4}-/.test(text)) return { fact: `only ages are supported, not times: ${EXPECTED}` };
  const [, amount, unit, security] = /^([1-9]\d{0,4})([hd])([+ ]security)?$/.exec(text) ?? [];
  const seconds = Number(amount) * (unit === 'd' ? DAY : HOUR);
  return seconds <= MOST ? { seconds, security: security !== undefined } : { fact: EXPECTED };
}

/** `wolfi@7d`; the name itself without an age. */
export function nameWithAge(datasource: string, age: Age | undefined): string {
  if (age === undefined) return datasource;
  const { amount, unit } = rounded(age);
  return `${datasource}@${amount}${unit.charAt(0)}${age.security ? '+security' : ''}`;
}

/** `7 days` */
export function ageInWords(age: Age): string {
  const { amount, unit } = rounded(age);
  return `${amount} ${unit}${amount === 1 ? '' : 's'}`;
}

function rounded({ seconds }: Age): { readonly amount: number; readonly unit: string } {
  return seconds % DAY === 0
    ? { amount: seconds / DAY, unit: 'day' }
    : { amount: seconds / HOUR, unit: 'hour' };
}
