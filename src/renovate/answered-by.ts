/**
 * How the rules of a preset with several datasources learn which of them has answered: a comment in the link to the
 * changes, which Renovate compiles as a template. Rules see its text, people a link without it.
 */
export function answeredBy(datasource: string): string {
  return `{{! ${datasource} }}`;
}
