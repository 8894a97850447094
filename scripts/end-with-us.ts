/** Child processes that must end with this one: npm, a CI runner or a user may end it at any moment. */
import type { ChildProcess } from 'node:child_process';

/** As a shell reports a process that died of the signal. */
const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
const children = new Set<ChildProcess>();

/** Kills `child` when this process exits or gets a signal to end. */
export function endWithUs<T extends ChildProcess>(child: T): T {
  if (children.size === 0) listen('on');
  children.add(child);
  child.once('close', () => {
    children.delete(child);
    if (children.size === 0) listen('off');
  });
  return child;
}

function listen(how: 'on' | 'off'): void {
  process[how]('exit', killAll);
  for (const name of Object.keys(exitCodes)) process[how](name, exit);
}

function exit(name: NodeJS.Signals): void {
  process.exit(exitCodes[name as keyof typeof exitCodes]);
}

function killAll(): void {
  for (const child of children) child.kill('SIGKILL');
}
