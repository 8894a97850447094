import { expect, test } from 'vitest';
import { fixedIn, parseAffected } from '../../src/advisories/affected.ts';
import { parseVersion } from '../../src/apk/version.ts';

test.each([
  ['<3', '1', '3'],
  ['<3', '3', undefined],
  ['<3,>=3<5,>=4<6,>=7<8', '1', '6'],
  ['<3,!', '1', undefined],
  ['<3,>=3!', '1', undefined],
  ['=7,>=7<8', '7', '8'],
  ['<=5,<8', '3', '8'],
  ['<=5,<3', '1', undefined],
])('of %s, in whatever order, version %s is fixed in %s', (text, version, fixed) => {
  const parts = text.split(',');
  for (const [i, first] of parts.entries()) {
    const affected = parseAffected([first, ...parts.toSpliced(i, 1)].join(','));
    expect(fixedIn(affected, parseVersion(version)!)?.text).toBe(fixed);
  }
});
