/** Problems in how a pin is written, whatever indexes have. */
import { parseVersion } from '../apk/version.ts';
import { apkoOperators, parseApkoVersion } from './apko.ts';
import type { PinToJudge, Problem } from './judgment.ts';

/** Shows unusual characters by their code, as in `1.0-r0\u{a0}`. */
function visible(version: string): string {
  return version.replace(/[^!-~]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`);
}

/** Problems in the spelling of the constraint. */
export function spellingProblems(pin: PinToJudge): readonly Problem[] {
  const { tool, operator, version, tag, tagIsBehind, name } = pin;
  const problems: Problem[] = [];
  const isKnown = tool === 'apk' || operator === '' || apkoOperators.includes(operator);
  if (!isKnown)
    problems.push({
      rule: 'operator-ignored',
      message: `apko does not know ${operator} and takes any version of ${name}`,
    });
  else if (/^==+$/.test(operator)) problems.push({ rule: 'double-equals', message: `${operator} means =` });
  if (tag !== undefined && operator !== '' && tool === 'apko' && !tagIsBehind)
    problems.push({
      rule: 'tag-form',
      message: `apko reads the tag behind the version: ${name}${operator}${version}@${tag}`,
    });
  else if (tag !== undefined && tool === 'apko' && !/^[A-Za-z0-9]+$/.test(tag))
    problems.push({
      rule: 'tag-form',
      message: `apko reads tags of letters and digits only, so it takes ${pin.text} for a name`,
    });
  if (tag !== undefined && operator !== '' && tool === 'apk' && tagIsBehind)
    problems.push({
      rule: 'tag-form',
      message: `apk reads the tag in front of the operator: ${name}@${tag}${operator}${version}`,
    });
  if (operator !== '' && isKnown && !operator.includes('><') && !isVersion(pin)) {
    const what = version === '' ? 'nothing' : visible(version);
    problems.push({ rule: 'invalid-version', message: `${what} is not a version that ${tool} can read` });
  }
  return problems;
}

function isVersion({ tool, version }: PinToJudge): boolean {
  return (tool === 'apko' ? parseApkoVersion(version) : parseVersion(version)) !== undefined;
}
