/** Random indexes of natural shape. */
import fc from 'fast-check';
import type { Stanza } from './signed-index.ts';

/** The indexes of the repositories for one arch. */
export type Repositories = readonly (readonly Stanza[])[];

/** Another: APK_BEACON_SEED. */
export const SEED = Number(process.env['APK_BEACON_SEED'] ?? 14);

export const packageNames = ['foo', 'foo-dev', 'foo-libs', 'bar', 'zoo'];
const versions = ['1.0-r0', '1.0-r1', '1.1-r0', '2.0_rc1-r0'];
export const provided = ['foo', 'bar', 'virtual', 'so:libfoo.so.1', 'cmd:foo'];
const version = fc.constantFrom(...versions);
const provide = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom(...provided), version).map(([name, at]) => `${name}=${at}`),
  },
  { weight: 1, arbitrary: fc.constantFrom(...provided) },
);
const somewhere = fc.constantFrom(...packageNames, ...provided, 'gone');
const need = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.constantFrom(...packageNames, ...provided), version)
      .map(([name, at]) => `${name}=${at}`),
  },
  { weight: 2, arbitrary: somewhere },
  {
    weight: 1,
    arbitrary: fc
      .tuple(somewhere, fc.constantFrom('>=', '<', '>', '<='), version)
      .map((each) => each.join('')),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(somewhere, fc.constantFrom('~1', '~2', '~1.0')).map((each) => each.join('')),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(somewhere, fc.constantFrom('', '>1.0-r0', '=1.1-r0'))
      .map((each) => `!${each.join('')}`),
  },
);
const few = (arbitrary: fc.Arbitrary<string>, most: number): fc.Arbitrary<string> =>
  fc.array(arbitrary, { maxLength: most }).map((tokens) => tokens.join(' '));
const stanza: fc.Arbitrary<Stanza> = fc.record({
  P: fc.constantFrom(...packageNames),
  V: version,
  p: fc.oneof({ weight: 1, arbitrary: fc.constant('') }, { weight: 2, arbitrary: few(provide, 3) }),
  D: fc.oneof({ weight: 1, arbitrary: fc.constant('') }, { weight: 2, arbitrary: few(need, 3) }),
  k: fc.constantFrom('0', '0', '0', '5', '10'),
  i: fc.oneof(
    { weight: 9, arbitrary: fc.constant('') },
    { weight: 1, arbitrary: few(fc.oneof(fc.constantFrom(...packageNames), need), 2) },
  ),
});
/** No two of the same time: which of equal ones is taken is no rule of apk. */
const repository = fc
  .array(stanza, { maxLength: 8 })
  .map((stanzas) => stanzas.map((each, i) => ({ ...each, t: `${[3, 7, 1, 8, 2, 6, 4, 5][i]}00` })));
export const arch: fc.Arbitrary<Repositories> = fc.array(repository, { minLength: 1, maxLength: 3 });

/** Every pair of the options that change what a catalog offers. */
export const optionPairs = [
  { unversionedProvides: false, complete: false },
  { unversionedProvides: false, complete: true },
  { unversionedProvides: true, complete: false },
  { unversionedProvides: true, complete: true },
] as const;
