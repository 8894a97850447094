/** The unified diff of two texts with the same number of lines. */

const CONTEXT = 3;

export function unifiedDiff(path: string, before: string, after: string): string {
  const [old, young] = [before.split('\n'), after.split('\n')];
  const changed = old.flatMap((line, i) => (line === young[i] ? [] : [i]));
  const hunks: { from: number; to: number }[] = [];
  for (const i of changed) {
    const last = hunks.at(-1);
    const [from, to] = [Math.max(0, i - CONTEXT), Math.min(lengthOf(old), i + CONTEXT + 1)];
    if (last && from <= last.to) last.to = to;
    else hunks.push({ from, to });
  }
  if (hunks.length === 0) return '';
  const parts = hunks.map(({ from, to }) => {
    const lines: string[] = [];
    for (let i = from; i < to; i += 1) {
      if (old[i] === young[i]) lines.push(` ${old[i]}`, ...unended(i, old));
      else {
        const start = i;
        while (i + 1 < to && old[i + 1] !== young[i + 1]) i += 1;
        for (let k = start; k <= i; k += 1) lines.push(`-${old[k]}`, ...unended(k, old));
        for (let k = start; k <= i; k += 1) lines.push(`+${young[k]}`, ...unended(k, young));
      }
    }
    const range = `${from + 1},${to - from}`;
    return `@@ -${range} +${range} @@\n${lines.join('\n')}\n`;
  });
  return `--- ${headerName(`a/${path}`)}\n+++ ${headerName(`b/${path}`)}\n${parts.join('')}`;
}

/**
 * As git writes it: a name with quotes, backslashes, control or other characters than ASCII is quoted, and after a blank
 * in it comes a tab. Otherwise `patch` finds no such file, a name with line breaks would be a patch of another file, and
 * the diff of a file in Latin-1 would have two encodings.
 */
function headerName(path: string): string {
  const quoted = path.replace(/[^ -~]|["\\]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join(''),
  );
  if (quoted !== path) return `"${quoted}"`;
  return path.includes(' ') ? `${path}\t` : path;
}

/** Text after the last line break is not a line. */
function lengthOf(lines: readonly string[]): number {
  return lines.at(-1) === '' ? lines.length - 1 : lines.length;
}

function unended(i: number, lines: readonly string[]): readonly string[] {
  return i === lines.length - 1 && lines[i] !== '' ? ['\\ No newline at end of file'] : [];
}
