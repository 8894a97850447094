/** Suggestions for unknown words. */
import { editDistance } from '../edit-distance.ts';

/**
 * The most similar word of `known`, with at most one edit for every three letters of `word`: a letter added, removed or
 * replaced, or two neighbours swapped.
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best: string | undefined;
  let least = limit + 1;
  for (const candidate of known) {
    const edits = editDistance(word, candidate, least - 1);
    if (edits !== undefined) [best, least] = [candidate, edits];
  }
  return best;
}
