/**
 * The commands that a POSIX shell script calls, by name: enough of a reading for the scripts of recipes, which are short
 * and plain. What a script defines or computes (`$tool`, `./configure`) is left out.
 */

/** Part of the shell itself, with busybox as with bash. */
const builtins = new Set(
  ': . [ [[ alias break cd command continue echo eval exec exit export false getopts hash jobs kill let local printf pwd read readonly return set shift test time times trap true type ulimit umask unalias unset wait'.split(
    ' ',
  ),
);
const keywords = new Set(
  '! { } case do done elif else esac fi for function if in then until while'.split(' '),
);

export function commandsIn(script: string): ReadonlySet<string> {
  const found = new Set<string>();
  const plain = withoutComments(script.replace(/\\\n/g, ' ').replace(/\$\{\{[^}]*\}\}/g, 'melange'));
  scan(plain, found);
  return found;
}

function scan(script: string, found: Set<string>): void {
  // Substitutions first, also those inside of double quotes: they are scripts of their own.
  let text = script;
  for (let inner = /\$\(([^()]*)\)/.exec(text); inner !== null; inner = /\$\(([^()]*)\)/.exec(text)) {
    scan(inner[1] ?? '', found);
    text = text.replace(inner[0], 'substituted');
  }
  text = text.replace(/'[^']*'|"(?:[^"\\]|\\.)*"/g, 'quoted').replace(/\d?>&\d/g, ' ');
  let inCase = false;
  for (const piece of text.split(/\n|;;|;|&&|\|\||[|&]/)) {
    let words = piece.trim().split(/\s+/);
    if (words[0] === 'case') {
      inCase = true;
      words = words.slice(words.indexOf('in') + 1);
    }
    // `pattern)` in front of a branch.
    if (inCase && words[0]?.endsWith(')')) words = words.slice(1);
    if (words[0] === 'esac') inCase = false;
    if (words[0] === 'for') continue;
    while (words[0] !== undefined && (keywords.has(words[0]) || /^\w+=/.test(words[0])))
      words = words.slice(1);
    const [command = ''] = words;
    if (/^[a-z][\w.+-]*$/i.test(command) && !builtins.has(command)) found.add(command);
    // They call what they are given.
    if (command === 'env' || command === 'exec') scan(words.slice(1).join(' '), found);
    const called = /-exec\s+(\S+)/.exec(piece)?.[1];
    if (command === 'find' && called !== undefined) found.add(called);
  }
}

const withoutComments = (script: string) => script.replace(/^(\s*)#.*$/gm, '$1').replace(/\s#\s.*$/gm, '');
