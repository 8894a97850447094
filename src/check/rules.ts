/** The rules of `check`. Each has a page under docs/rules/ with good and bad examples. */

export type Level = 'error' | 'warning' | 'note';

export interface Rule {
  readonly id: RuleId;
  /**
   * An error breaks the build, now or on another arch; a warning will, or the pin does not do what its author meant.
   */
  readonly level: Level;
  /** One line, no full stop. */
  readonly summary: string;
}

const table = {
  'withdrawn': ['error', 'no index has the pinned version: it was withdrawn or never existed'],
  'unknown-name': ['error', 'no package has or provides the name'],
  'missing-on-arch': ['error', 'the version does not exist on every arch of the image'],
  'unsatisfiable': ['error', 'no available version fits the constraint'],
  'dependency-missing': ['error', 'a dependency of the package is missing'],
  'contradicting-pins': ['error', 'pins of one image cannot be installed together'],
  'other-distribution': ['error', 'the version belongs to another distribution than the image'],
  'invalid-version': ['error', 'the version is not valid for apk or apko'],
  'tag-form': ['error', 'the tool cannot read the @tag'],
  'operator-ignored': ['warning', 'the tool does not know the operator and takes any version'],
  'double-equals': ['note', '`==` is read as `=`'],
  'expected-withdrawal': ['warning', 'the version is expected to be withdrawn soon'],
  'known-vulnerabilities': ['warning', 'a newer version fixes known vulnerabilities of the pinned one'],
  'behind': ['warning', 'there are newer versions'],
  'floating-dependencies': ['note', 'the package is pinned, but its dependencies are not'],
  'missing-include': ['warning', 'an included file cannot be read'],
  'unknown-variable': ['note', 'a package or version is in a variable without a known value'],
  'not-asked': ['note', 'the repositories of the pin are unknown, or an arch of its image'],
  'unreadable': ['error', 'the file is not valid YAML; a warning if it cannot be opened'],
} as const satisfies Record<string, readonly [Level, string]>; // prettier-ignore

export type RuleId = keyof typeof table;

export const rules: readonly Rule[] = Object.entries(table).map(([id, [level, summary]]) => ({
  id: id as RuleId,
  level,
  summary,
}));

export function levelOf(rule: RuleId): Level {
  return table[rule][0];
}

export function isRule(word: string): word is RuleId {
  return Object.hasOwn(table, word);
}

export function isLevel(word: unknown): word is Level {
  return typeof word === 'string' && Object.hasOwn(order, word);
}

export const project = 'https://git.example.com/acme/apk-beacon';

/** The page of a rule. */
export function rulePage(rule: RuleId): string {
  return `${project}/-/blob/main/docs/rules/${rule}.md`;
}

const order: Readonly<Record<Level, number>> = { error: 0, warning: 1, note: 2 };

/** Negative if `a` is worse. */
export function compareLevels(a: Level, b: Level): number {
  return order[a] - order[b];
}
