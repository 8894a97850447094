import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nameWith, parseWhen } from '../../src/catalog/age.ts';
import { timestamp } from '../../src/answers/render.ts';
import { parseTime, timeText } from '../../src/catalog/time.ts';

describe('a time', () => {
  test.each([
    ['2026-07-24T06:00Z', '2026-07-24T06:00:00.000Z'],
    ['2026-07-24T06:00:30Z', '2026-07-24T06:00:30.000Z'],
    ['2026-07-24T06:00:30.5Z', '2026-07-24T06:00:30.500Z'],
    ['2026-07-24T06:00:30.125Z', '2026-07-24T06:00:30.125Z'],
    // Zones.
    ['2026-07-24T08:00+02:00', '2026-07-24T06:00:00.000Z'],
    ['2026-07-24T00:30-05:30', '2026-07-24T06:00:00.000Z'],
    ['2026-07-24T05:59+23:59', '2026-07-23T06:00:00.000Z'],
    ['2026-07-24T06:00-00:00', '2026-07-24T06:00:00.000Z'],
    // A date is its first moment.
    ['2026-07-24', '2026-07-24T00:00:00.000Z'],
    ['2028-02-29', '2028-02-29T00:00:00.000Z'],
    // Unix time has no leap seconds.
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
    ['2017-01-01T00:59:60+01:00', '2017-01-01T00:00:00.000Z'],
    ['2016-12-31T23:59:59.999Z', '2016-12-31T23:59:59.999Z'],
  ])('%s', (text, expected) => {
    expect(new Date(parseTime(text) ?? NaN).toISOString()).toBe(expected);
  });

  test.each([
    ['2026-07-24T06:00', 'without a zone: nobody else knows which is meant'],
    ['2026-02-30T00:00Z', 'a day that does not exist'],
    ['2026-02-29', 'not a leap year'],
    ['2026-13-01', 'a month that does not exist'],
    ['2026-00-10', 'no month'],
    ['2026-07-24T24:00Z', 'the hour 24'],
    ['2026-07-24T06:60Z', 'the minute 60'],
    ['2026-07-24T06:00:61Z', 'the second 61'],
    ['2026-07-24T12:30:60Z', 'a leap second within a day'],
    ['2016-12-31T23:59:60+01:00', 'a leap second by another zone’s clock'],
    ['2026-07-24T06:00+2:00', 'a zone of another form'],
    ['2026-07-24T06:00+0200', 'a zone of another form'],
    ['2026-07-24T06:00+24:00', 'a zone that does not exist'],
    ['2026-07-24 06:00Z', 'a blank'],
    ['2026-07-24T06Z', 'no minute'],
    ['2026-7-24', 'a month of one digit'],
    ['20260724T060000Z', 'the basic form'],
    ['2026-07-24T06:00:00.1234Z', 'less than a millisecond'],
    ['+002026-07-24T06:00Z', 'six digits'],
    ['', 'nothing'],
  ])('%j is none: %s', (text) => {
    expect(parseTime(text)).toBeUndefined();
  });

  test.each(['2026-07-24T06:00Z', '2026-07-24T06:00:30Z', '2026-07-24T06:00:00.001Z'])(
    '%s is its shortest form',
    (text) => expect(timeText(parseTime(text) ?? NaN)).toBe(text),
  );
});

test('the text after the @ is an age or a time', () => {
  expect(parseWhen('7d')).toEqual({ age: { seconds: 7 * 86_400, security: false } });
  expect(parseWhen('2026-07-24T08:00+02:00')).toEqual({ at: Date.UTC(2026, 6, 24, 6) });
  // Some clients take a plus sign in a path for a blank.
  expect(parseWhen('2026-07-24T08:00 02:00')).toEqual({ at: Date.UTC(2026, 6, 24, 6) });
  expect(parseWhen('2026-07-24T06:00')).toEqual({
    fact: 'expected a time with its zone after the @, such as wolfi@2026-07-24T06:00Z or wolfi@2026-07-24T08:00+02:00, or a date, which is midnight UTC',
  });
  expect(nameWith('wolfi', { at: Date.UTC(2026, 6, 24, 6) })).toBe('wolfi@2026-07-24T06:00Z');
  expect(nameWith('wolfi', undefined)).toBe('wolfi');
});

test('unix seconds as text are what JavaScript makes of them', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 32 - 1 }), (seconds) => {
      expect(timestamp(seconds)).toBe(new Date(seconds * 1000).toISOString());
    }),
    { examples: [[0], [86_399], [86_400], [2 ** 32 - 1]] },
  );
});
