/**
 * With several datasources, the preset's rules must know which one answered a pin. The service appends a template comment
 * to the changelog link. Rules see the comment; Renovate removes it from the link that people see.
 */
export function answeredBy(datasource: string): string {
  return `{{! ${datasource} }}`;
}

/** Matches the pins of one datasource: by its name, or by the mark in an answer of a routed lookup. */
export function pinsOf(
  name: string,
  names: readonly string[],
  condition?: string,
): Readonly<Record<string, unknown>> {
  const own = { matchDatasources: [`custom.${name}`] };
  if (names.length === 1) return condition === undefined ? own : { ...own, matchJsonata: [condition] };
  const isItsPin = `(datasource = "custom.${name}" or $contains($string(changelogUrl), "${answeredBy(name)}"))`;
  return { matchJsonata: [condition === undefined ? isItsPin : `${isItsPin} and ${condition}`] };
}
