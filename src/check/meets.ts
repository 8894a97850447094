/** Which versions fit a pin, by the rules of its tool. */
import { parseConstraint, satisfies } from '../apk/constraint.ts';
import { parseVersion } from '../apk/version.ts';
import { apkoMeets } from './apko.ts';
import type { PinToJudge } from './judgment.ts';

export type Meets = (version: string) => boolean;
/** For a name without a constraint; a provide without a version meets it too. */
export const ANY: Meets = () => true;

/** A test of versions for the constraint of a pin; `undefined` if its version is invalid. */
export function meetsOf({ tool, operator, version }: PinToJudge): Meets | undefined {
  if (operator === '' || operator.includes('><')) return ANY;
  if (tool === 'apko') return apkoMeets(operator, version);
  const constraint = parseConstraint(operator + version);
  if (!constraint) return undefined;
  return (text) => {
    const parsed = parseVersion(text);
    return parsed !== undefined && satisfies(parsed, constraint);
  };
}

/** The same with a cache. */
export function remembering(meets: Meets): Meets {
  if (meets === ANY) return ANY;
  const known = new Map<string, boolean>();
  return (version) => {
    let met = known.get(version);
    if (met === undefined) known.set(version, (met = meets(version)));
    return met;
  };
}
