import { readFileSync } from 'node:fs';

/** A file of `test/fixtures/oracle`; its README says where each comes from. */
export function readOracle<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../fixtures/oracle/${name}`, import.meta.url), 'utf8')) as T;
}
