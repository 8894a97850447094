/** Images that apko 1.2.39 was asked about. */
import { expect, test } from 'vitest';
import { finish } from '../../src/catalog/steps.ts';
import { Build } from '../../src/check/apko-resolver.ts';
import { catalogOf } from '../support/catalogs.ts';
import { pkg, type Stanza } from '../support/signed-index.ts';

function obstacle(
  repositories: readonly (readonly Stanza[])[],
  constraints: readonly string[],
): string | undefined {
  const { sources } = catalogOf({ x86_64: repositories });
  const build = new Build({
    arch: 'x86_64',
    sources: new Map([['x86_64', sources]]),
    tagOf: () => undefined,
  });
  return finish(build.obstacle(constraints));
}

test('a package that provides a name twice counts as two candidates for it', () => {
  const all = [pkg('a', '1-r0'), pkg('a', '2-r0', { p: 'c=2' })];
  // The newest a is taken first, unless z has fewer candidates.
  expect(obstacle([[...all, pkg('x', '1-r0', { p: 'z=1 c=1' })]], ['a', 'z'])).toBeUndefined();
  expect(obstacle([[...all, pkg('x', '1-r0', { p: 'z=1 z=2 c=1' })]], ['a', 'z'])).toBe(
    'no remaining candidate meets z',
  );
  expect(obstacle([[...all, pkg('z', '1-r0', { p: 'z=1 c=1' })]], ['a', 'z'])).toBe(
    'no remaining candidate meets z',
  );
});

test('packages with the name come before those that provide it, whatever their repositories', () => {
  // n is better than u, u better than w, and w better than n.
  const providers = [pkg('u', '3-r0', { p: 'n' }), pkg('w', '2-r0', { p: 'n=5-r0' })];
  expect(obstacle([providers, [pkg('n', '4-r0', { D: 'nowhere' })]], ['n'])).toBeUndefined();
});

test('a version that apko cannot read is older than all others', () => {
  const all = [pkg('a', '3.0~abc-r0'), pkg('a', '1-r0', { D: 'nowhere' })];
  expect(obstacle([all], ['a'])).toBe('nothing provides nowhere');
  expect(obstacle([all.toReversed()], ['a'])).toBe('nothing provides nowhere');
});
