/** Texts of errors, and foreign text that is printed to a terminal. */
import { expect, test } from 'vitest';
import { counted, errorLine, printable, printableJson, printableJsonLine } from '../src/errors.ts';

/** Escape sequences, their one-byte forms, line ends, and characters that turn the direction of writing. */
const hostile =
  '\u001b]0;title\u0007 \u009b31m \u007f \b\f\r \u0085\u2028\u2029 \u202e\u2066\ufeff \u{e0001} é';
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

test('text', () => {
  expect(printable(hostile)).not.toMatch(UNPRINTABLE);
  expect(printable('\u001b[1m é\n')).toBe('\\u{1b}[1m é\\u{a}');
});

test('an error is followed by its causes, without those that say the same', () => {
  const refused = new Error('connection refused');
  const cause = new Error('connection refused', { cause: new Error('port 1', { cause: refused }) });
  expect(errorLine(new Error('no index', { cause }))).toBe('no index: connection refused: port 1');
});

test('one thing is named in the singular', () => {
  expect([0, 1, 2].map((count) => counted(count, 'package'))).toEqual([
    '0 packages',
    '1 package',
    '2 packages',
  ]);
});

test('JSON stays the same value', () => {
  const value = { [hostile]: [hostile] };
  const text = printableJson(value, 2);
  expect(text.replaceAll('\n', '')).not.toMatch(UNPRINTABLE);
  expect(JSON.parse(text)).toEqual(value);
});

test('a line of a log is printable after it is parsed as well', () => {
  const line = `${JSON.stringify({ msg: `${hostile} \\u001b \\\\`, stack: 'Error\n\tat x' })}\n`;
  const cleaned = printableJsonLine(line);
  expect(cleaned.endsWith('}\n')).toBe(true);
  const { msg, stack } = JSON.parse(cleaned) as { msg: string; stack: string };
  expect(msg).not.toMatch(UNPRINTABLE);
  expect(msg).toContain('\\u{1b}]0;title');
  expect(msg.endsWith(' \\u001b \\\\')).toBe(true);
  expect(stack).toBe('Error\n\tat x');
});
