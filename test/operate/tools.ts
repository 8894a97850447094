/** Tools that are not npm packages. With APK_BEACON_REQUIRE_TOOLS=1 a missing one is a failure, otherwise a skip. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

const isPresent = (tool: string): boolean => {
  if (isAbsolute(tool)) return existsSync(tool);
  try {
    execFileSync('sh', ['-c', 'command -v "$0"', tool], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** Whether all of `tools` are there; says which are not. */
export function haveTools(...tools: readonly string[]): boolean {
  const missing = tools.filter((tool) => !isPresent(tool));
  if (missing.length === 0) return true;
  const fact = `${missing.join(', ')} cannot be found; .ci/operate installs what these tests need`;
  if (process.env['APK_BEACON_REQUIRE_TOOLS'] === '1') throw new Error(fact);
  process.stderr.write(`skipped: ${fact}\n`);
  return false;
}

/** What a tool prints on stdout. Rejects with what it prints on stderr. */
export async function run(
  tool: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<string> {
  const { stdout } = await execute(tool, args, { maxBuffer: 64e6, ...options });
  return stdout;
}
