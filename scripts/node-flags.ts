import { readFileSync } from 'node:fs';

/** The Node flags of the service, from the first line of `program`: the sources, or a bundle. */
export function nodeFlags(program: string): readonly string[] {
  return /^#!.* node (.*)\n/.exec(readFileSync(program, 'utf8'))?.[1]?.split(' ') ?? [];
}
