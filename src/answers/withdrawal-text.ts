/** What is expected of a version, in words. */
import type { Withdrawal } from '../catalog/withdrawal.ts';

export function withdrawalText({ expectedOn, rule, likelihood = 1 }: Withdrawal): string {
  const verb = likelihood < 0.5 ? 'may' : 'expected to';
  const when = expectedOn === undefined ? 'when the next version comes' : `on or after ${expectedOn}`;
  return `${verb} be withdrawn ${when}, by rule ${rule}`;
}
