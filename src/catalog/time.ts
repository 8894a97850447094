/** Times as text, such as those in addresses and parameters: `2026-07-24T06:00Z`, `2026-07-24T08:00:30+02:00`. */

const TIME =
  /^(\d{4}-\d\d-\d\d)(?:T((?:[01]\d|2[0-3]):[0-5]\d)(?::([0-5]\d|60)(\.\d{1,3})?)?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))?$/;
const DAY = 86_400_000;

/**
 * In unix milliseconds. A time needs its zone; a date is midnight UTC. Unix time does not count leap seconds, so
 * 23:59:60 UTC is the midnight that follows. `undefined` for other texts and for days that do not exist.
 */
export function parseTime(text: string): number | undefined {
  const [, date = '', time = '00:00', second = '00', fraction = '', zone = 'Z'] = TIME.exec(text) ?? [];
  const day = Date.parse(`${date}T00:00:00Z`);
  // JavaScript takes 30 February for 2 March.
  if (Number.isNaN(day) || !new Date(day).toISOString().startsWith(date)) return undefined;
  const isLeap = second === '60';
  const minute = Date.parse(`${date}T${time}:00${zone}`);
  if (isLeap && (minute + 60_000) % DAY !== 0) return undefined;
  return minute + Number(`${second}${fraction}`) * 1000;
}

/** By day since 1970: the packages of an index are from few days, and `toISOString` is slow. */
const dates = new Map<number, string>();

/** `2026-07-24`, from unix seconds. */
export function dateOf(seconds: number): string {
  const day = Math.floor(seconds / 86_400);
  const known = dates.get(day);
  if (known !== undefined) return known;
  const date = new Date(day * DAY).toISOString().slice(0, 10);
  dates.set(day, date);
  return date;
}

/** The shortest form in UTC, from unix milliseconds: `2026-07-24T06:00Z`. */
export function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/(?::00\.000|\.000)Z$/, 'Z');
}
