/** What somebody may have meant by a word that is not known. */
import { editDistance } from '../edit-distance.ts';

/**
 * The word of `known` that is at most an edit for every three letters away from `word`: a letter more, less or another
 * one, or two neighbours that changed places.
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
