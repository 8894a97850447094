/** Runs the real Renovate on a folder and reads its report. Assertions use the report, never exit codes. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { compileCache } from '../../support/compile-cache.ts';
import { renovateSources } from './install.ts';

/** One dependency of the report, as far as the scenarios look at it. */
export interface Dependency {
  readonly depName: string;
  readonly currentValue: string;
  readonly datasource: string;
  readonly depType?: string;
  readonly currentDigest?: string;
  readonly registryUrls?: readonly string[];
  readonly homepage?: string;
  readonly sourceUrl?: string;
  readonly changelogUrl?: string;
  readonly skipReason?: string;
  readonly warnings?: readonly { readonly topic: string; readonly message: string }[];
  readonly updates: readonly Update[];
}

export interface Update {
  readonly updateType: string;
  readonly newValue: string;
  readonly newVersion?: string;
  readonly newDigest?: string;
  readonly branchName: string;
  readonly pendingChecks?: boolean;
}

export interface Report {
  /** By file, in the order of the file. Dependencies of Renovate's own managers are among them. */
  readonly dependencies: ReadonlyMap<string, readonly Dependency[]>;
  readonly log: readonly LogEntry[];
}

export interface LogEntry extends Readonly<Record<string, unknown>> {
  readonly level: number;
  readonly msg: string;
}

export interface RunOptions {
  /** Contents by path; `renovate.json` among them is the repository's configuration. */
  readonly files: Readonly<Record<string, string>>;
  /** What the administrator of Renovate sets. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A look-up of all that the files hold, with `platform=local`: nothing is written. */
export async function lookUp({ files, environment = {} }: RunOptions): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'apk-beacon-renovate-'));
  try {
    const repository = join(folder, 'repository');
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(repository, path)), { recursive: true });
      await writeFile(join(repository, path), content);
    }
    return await runRenovate(folder, repository, { RENOVATE_PLATFORM: 'local', ...environment });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Renovate in a folder of its own, with nothing of this process's environment. */
export async function runRenovate(
  folder: string,
  cwd: string,
  environment: Readonly<Record<string, string>>,
): Promise<Report> {
  const reportPath = join(folder, 'report.json');
  const child = spawn(process.execPath, [`${renovateSources()}renovate.js`], {
    cwd,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: join(folder, 'home'),
      RENOVATE_BASE_DIR: join(folder, 'base'),
      RENOVATE_REPORT_TYPE: 'file',
      RENOVATE_REPORT_PATH: reportPath,
      LOG_LEVEL: 'debug',
      LOG_FORMAT: 'json',
      ...compileCache,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const log = output
    .split('\n')
    .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as LogEntry] : []));
  const report = await readFile(reportPath, 'utf8').catch(() => undefined);
  if (report === undefined) throw new Error(`Renovate wrote no report: ${errors}${output.slice(-2000)}`);
  return { dependencies: dependenciesOf(JSON.parse(report) as RawReport), log };
}

/** What the service makes of the address of a dependency: a datasource, or why it has no opinion. */
export async function routeOf({ datasource, registryUrls }: Dependency): Promise<string> {
  const url = registryUrls?.[0] ?? '';
  if (!url.includes('/-/for/')) return datasource.replace('custom.', '');
  const response = await fetch(url);
  const routed = response.headers.get('x-apk-beacon-datasource');
  if (routed !== null) return routed;
  return `- ${((await response.json()) as { noOpinion?: string }).noOpinion}`;
}

interface RawReport {
  readonly repositories: Readonly<
    Record<string, { readonly packageFiles: Readonly<Record<string, readonly PackageFile[]>> }>
  >;
}

interface PackageFile {
  readonly packageFile: string;
  readonly deps: readonly Dependency[];
}

function dependenciesOf({ repositories }: RawReport): ReadonlyMap<string, readonly Dependency[]> {
  const found = new Map<string, readonly Dependency[]>();
  for (const { packageFiles } of Object.values(repositories)) {
    for (const { packageFile, deps } of Object.values(packageFiles).flat()) {
      found.set(packageFile, [...(found.get(packageFile) ?? []), ...deps]);
    }
  }
  return found;
}
