import { expect, test } from 'vitest';
import { parseNetrc } from '../../src/repository/netrc.ts';

const parse = (text: string): unknown => parseNetrc(text, '/home/me/.netrc');

test.each([
  ['on one line', 'machine example.com login me password secret'],
  ['on many lines', 'machine example.com\r\n\tlogin me\r\n\tpassword secret\r\n'],
  ['with an account', 'machine example.com login me account x password secret'],
  ['in quotes', '"machine" "example.com" login "me" password "secret"'],
  ['after a comment', '# machine other.example login x\n  # "\nmachine example.com login me password secret'],
  ['after a macro', 'macdef init\ncd /\nmachine x login x\n\nmachine example.com login me password secret'],
  ['beside words unknown', 'port 21 machine example.com user x login me password secret'],
])('an entry %s', (_name, text) => {
  expect(parse(text)).toEqual([{ machine: 'example.com', login: 'me', password: 'secret' }]);
});

test('quotes hold blanks and escapes', () => {
  expect(parse('machine a login "m e" password "s\\"e\\\\c\\tr#et"')).toEqual([
    { machine: 'a', login: 'm e', password: 's"e\\c\tr#et' },
  ]);
});

test('a # that starts no line is part of the password', () => {
  expect(parse('machine a login me password #1')).toEqual([{ machine: 'a', login: 'me', password: '#1' }]);
});

test('entries keep their order, and default is for any machine', () => {
  expect(parse('machine a password 1 machine b machine a password 2 default login x')).toEqual([
    { machine: 'a', login: '', password: '1' },
    { machine: 'a', login: '', password: '2' },
    { machine: undefined, login: 'x', password: '' },
  ]);
});

test.each(['', '\n\n', '# nothing', 'login me password secret', 'machine', 'macdef x\nmachine a login b'])(
  '%j has no entry',
  (text) => expect(parse(text)).toEqual([]),
);

test('a quote that is not closed is an error without the secret', () => {
  expect(() => parse('machine a password "secret')).toThrow(
    /^netrc file \/home\/me\/.netrc: a quote is not closed$/,
  );
});
