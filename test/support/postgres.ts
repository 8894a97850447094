/** PostgreSQL of Debian, in a temporary folder, on a socket there or with TLS. */
import { execFileSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { globSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { startProgram, type RunningProcess } from './process.ts';
import { temporaryFolder } from './service.ts';

const programs = globSync('/usr/lib/postgresql/*/bin').toSorted().at(-1);

/** Whether it is installed. With APK_BEACON_REQUIRE_TOOLS=1 it must be. */
export const hasPostgres = ((): boolean => {
  if (programs !== undefined) return true;
  const fact = "Debian's postgresql is not installed; .ci/operate installs it";
  if (process.env['APK_BEACON_REQUIRE_TOOLS'] === '1') throw new Error(fact);
  process.stderr.write(`skipped: tests on PostgreSQL: ${fact}\n`);
  return false;
})();

export interface PostgresServer extends AsyncDisposable {
  /** The address of a schema of its own, and what empties it. */
  schema(): Promise<{ readonly address: string; readonly empty: () => Promise<void> }>;
  readonly password: string;
  /** File of the certificate that clients have to know. */
  readonly certificate: string;
  /** Ends it at once, with all connections. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** It refuses to run as root, so it runs as the user that comes with it. */
const asUser =
  process.getuid?.() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'] : [];

export interface PostgresOptions {
  /** Takes connections with TLS only; the certificate signs itself. */
  readonly tls?: boolean;
}

export async function startPostgres({ tls = false }: PostgresOptions = {}): Promise<PostgresServer> {
  const folder = await temporaryFolder();
  const password = randomBytes(12).toString('hex');
  const run = (name: string, args: readonly string[]): RunningProcess => {
    const [program = '', ...rest] = [...asUser, join(programs ?? '', name), ...args];
    return startProgram(program, rest, { LC_ALL: 'C.UTF-8' });
  };
  await writeFile(join(folder, 'password'), password);
  await mkdir(join(folder, 'data'), { mode: 0o700 });
  if (asUser.length > 0) execFileSync('chown', ['-R', 'postgres', folder]);
  const data = join(folder, 'data');
  const made = run('initdb', [
    ...['--pgdata', data, '--username', 'beacon', '--auth', 'scram-sha-256', '--no-sync'],
    ...['--pwfile', join(folder, 'password'), '--encoding', 'UTF8'],
  ]);
  if ((await made.ended) !== 0) throw new Error(`initdb failed:\n${made.lines.join('\n')}`);
  const certificate = join(folder, 'server.crt');
  // An address of its own on the loopback, so that nobody else has its port.
  const host = tls ? `127.${[0, 0, 0].map(() => randomInt(1, 255)).join('.')}` : encodeURIComponent(folder);
  const key = join(folder, 'server.key');
  if (tls) {
    const subject = ['-subj', '/CN=ledger', '-addext', `subjectAltName=IP:${host}`];
    const signed = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate];
    execFileSync('openssl', [...signed, ...subject], { stdio: 'ignore' });
    if (asUser.length > 0) execFileSync('chown', ['postgres', key]);
    await writeFile(
      join(data, 'pg_hba.conf'),
      'local all all scram-sha-256\nhostssl all all all scram-sha-256\n',
    );
  }
  const listening = tls
    ? [`listen_addresses=${host}`, 'ssl=on', `ssl_cert_file=${certificate}`, `ssl_key_file=${key}`]
    : ['listen_addresses='];
  const start = async (): Promise<RunningProcess> => {
    const settings = ['fsync=off', 'max_connections=50', ...listening].flatMap((each) => ['-c', each]);
    const started = run('postgres', ['-D', data, '-k', folder, ...settings]);
    await started.line(/ready to accept connections/);
    return started;
  };
  let server = await start();
  const addressOf = (at: string): string => `postgres://beacon:${password}@${at}/postgres`;
  const ask = async (sql: string): Promise<void> => {
    const client = new Client(addressOf(encodeURIComponent(folder)));
    await client.connect();
    await client.query(sql);
    await client.end();
  };
  let count = 0;
  const stop = async (): Promise<void> => {
    // Immediate shutdown: as if it were killed, but its children end as well.
    server.child.kill('SIGQUIT');
    await server.ended;
  };
  return {
    password,
    certificate,
    stop,
    async schema() {
      const name = `ledger_${(count += 1)}`;
      await ask(`CREATE SCHEMA ${name}`);
      return {
        address: `${addressOf(host)}?options=${encodeURIComponent(`-c search_path=${name}`)}`,
        empty: () => ask(`DROP SCHEMA ${name} CASCADE; CREATE SCHEMA ${name}`),
      };
    },
    async start() {
      server = await start();
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
