/** Names that someone may have meant. */
import { distance } from 'fastest-levenshtein';

const MAX_DISTANCE = 3;

/** Up to three of `names` that are close to `name`: few letters apart, or the same name with more to it. */
export function closeNames(name: string, names: Iterable<string>): readonly string[] {
  const scored: { candidate: string; score: number }[] = [];
  for (const candidate of names) {
    const score = closeness(name, candidate);
    if (score !== undefined) scored.push({ candidate, score });
  }
  return scored
    .toSorted((a, b) => a.score - b.score || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

/** Lower is closer; `undefined` for names that are not alike. */
function closeness(name: string, candidate: string): number | undefined {
  if (Math.abs(name.length - candidate.length) <= MAX_DISTANCE) {
    const apart = distance(name, candidate);
    if (apart <= Math.min(MAX_DISTANCE, Math.ceil(name.length / 3))) return apart;
  }
  const isLonger =
    name.length >= 3 && candidate.startsWith(name) && '-.0123456789'.includes(candidate.charAt(name.length));
  return isLonger ? MAX_DISTANCE + (candidate.length - name.length) / 100 : undefined;
}
