/**
 * A QEMU machine that reports over its serial console, in lines `REPORT name base64`, until it powers off. /dev/kvm may
 * exist and not work, so hardware virtualisation is tried once, with the emulator as fallback.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';

const firmwares = ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/edk2/x64/OVMF_CODE.4m.fd'];
export const firmware = firmwares.find((file) => existsSync(file));
/** The firmware's variables, of which each machine has its own copy. */
export const firmwareVariables = firmware?.replace('CODE', 'VARS');

/** Milliseconds; an emulated machine takes a few minutes for one step. */
const patience = 45 * 60_000;

let hardware = isWritable('/dev/kvm');

function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The machine's reports by name; for a repeated name, the last one. */
export type Report = ReadonlyMap<string, string>;

export async function runMachine(options: readonly string[]): Promise<Report> {
  if (hardware) {
    const tried = await start(['-accel', 'kvm', '-cpu', 'host', ...options]);
    // With working virtualisation the machine has printed something; otherwise it ended before its first instruction.
    if (tried.report.size > 0) return atItsEnd(tried);
    hardware = false;
  }
  return atItsEnd(await start(['-accel', 'tcg,thread=multi', '-cpu', 'max', ...options]));
}

interface Ran {
  readonly report: Report;
  readonly console: string;
}

function atItsEnd({ report, console }: Ran): Report {
  if (!report.has('done')) throw new Error(`the machine did not get to its end: ${console.slice(-6000)}`);
  return report;
}

async function start(options: readonly string[]): Promise<Ran> {
  const machine = spawn(
    'qemu-system-x86_64',
    [
      ...['-machine', 'q35', '-m', '3072', '-smp', '2', '-display', 'none', '-monitor', 'none'],
      ...['-serial', 'stdio', '-no-reboot', '-nic', 'user,model=virtio-net-pci'],
      ...['-device', 'virtio-rng-pci', ...options],
    ],
    // A machine without anything to boot waits forever.
    { stdio: ['ignore', 'pipe', 'pipe'], signal: AbortSignal.timeout(patience), killSignal: 'SIGKILL' },
  );
  const report = new Map<string, string>();
  let console = '';
  for (const stream of [machine.stdout, machine.stderr]) {
    createInterface(stream).on('line', (line) => {
      console += `${line}\n`;
      const [, name, value] = /REPORT (\w+) ([A-Za-z0-9+/=]*)\s*$/.exec(line) ?? [];
      if (name !== undefined)
        report.set(
          name,
          Buffer.from(value ?? '', 'base64')
            .toString()
            .trim(),
        );
    });
  }
  await new Promise<void>((resolve, reject) => {
    machine.once('error', (cause) => reject(new Error(`the machine: ${console.slice(-6000)}`, { cause })));
    machine.once('close', () => resolve());
  });
  return { report, console };
}
