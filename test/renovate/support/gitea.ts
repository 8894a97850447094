/**
 * The part of Gitea that Renovate needs to open, update, close and merge requests: a few HTTP routes, and git itself
 * for the repositories. Unknown routes get a 404.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer, json } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { runRenovate, type Report } from './run.ts';

const run = promisify(execFile);
const identity = ['-c', 'user.name=renovate', '-c', 'user.email=renovate@example.com'];

export interface MergeRequest {
  readonly number: number;
  state: 'open' | 'closed';
  merged: boolean;
  title: string;
  body: string;
  readonly branch: string;
  readonly labels: readonly string[];
}

export interface Gitea extends AsyncDisposable {
  readonly url: string;
  readonly mergeRequests: readonly MergeRequest[];
  /** Makes `acme/<name>` with one commit of these files. */
  readonly create: (name: string, files: Readonly<Record<string, string>>) => Promise<void>;
  /** What a branch of `acme/<name>` changes, without context. */
  readonly diff: (name: string, branch: string) => Promise<readonly string[]>;
  /** One run of the real Renovate over `acme/<name>`. */
  readonly renovate: (name: string, environment?: Readonly<Record<string, string>>) => Promise<Report>;
}

/** Those that the repository has; Renovate makes none. */
const labels = ['security'];
/** The pipeline of every commit has passed. */
const passed = [{ id: 1, status: 'success', context: 'ci', created_at: '2026-01-01T00:00:00Z' }];
const user = { id: 1, login: 'renovate', full_name: 'Renovate', email: 'renovate@example.com' };

export async function startGitea(): Promise<Gitea> {
  const folder = await mkdtemp(join(tmpdir(), 'apk-beacon-gitea-'));
  const bare = (name: string): string => join(folder, 'acme', `${name}.git`);
  const mergeRequests: MergeRequest[] = [];
  const git = async (...args: string[]): Promise<string> =>
    (await run('git', [...identity, ...args], { env: { PATH: process.env['PATH'], HOME: folder } })).stdout;

  const server = createServer((request, response) => {
    void (async () => {
      const { pathname } = new URL(request.url ?? '', 'http://gitea');
      if (pathname.startsWith('/acme/')) return serveGit(folder, request, response);
      const body = request.method === 'GET' ? {} : ((await json(request)) as Record<string, string>);
      const answer = await api(`${request.method} ${pathname.replace('/api/v1', '')}`, body);
      response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer ?? { message: 'not found' }));
    })().catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function api(call: string, body: Readonly<Record<string, string>>): Promise<unknown> {
    if (call === 'GET /version') return { version: '1.24.0' };
    if (call === 'GET /user') return user;
    const [, method, name = '', rest = ''] = /^(\w+) \/repos\/acme\/([\w-]+)(?:\/(.*))?$/.exec(call) ?? [];
    const known = mergeRequests.find(({ number }) => rest.startsWith(`pulls/${number}`));
    switch (`${method} ${rest.replace(/\/(\d+|[0-9a-f]{40})(?=\/|$)/, '/N')}`) {
      case 'GET ':
        return repository(url, name);
      case 'GET pulls':
        return Promise.all(mergeRequests.map((each) => render(name, each)));
      case 'POST pulls': {
        const { title = '', body: text = '', head = '' } = body;
        const made: MergeRequest = {
          number: mergeRequests.length + 1,
          state: 'open',
          merged: false,
          title,
          body: text,
          branch: head,
          labels:
            (body['labels'] as unknown as readonly number[] | undefined)?.map((id) => labels[id - 1] ?? '') ??
            [],
        };
        mergeRequests.push(made);
        return render(name, made);
      }
      case 'GET pulls/N':
        return known && render(name, known);
      case 'PATCH pulls/N':
        return known && render(name, Object.assign(known, body));
      case 'POST pulls/N/merge':
        if (!known) return undefined;
        await git('-C', bare(name), 'branch', '-f', 'main', known.branch);
        Object.assign(known, { state: 'closed', merged: true });
        return {};
      case 'GET labels':
        return labels.map((label, i) => ({ id: i + 1, name: label }));
      case 'GET issues':
        return [];
      case 'POST statuses/N':
        return {};
      default: {
        const path = /^contents\/(.+)$/.exec(rest)?.[1];
        if (path !== undefined) return contents(name, decodeURIComponent(path));
        return /^commits\/.+\/statuses$/.test(rest) ? passed : undefined;
      }
    }
  }

  async function contents(name: string, path: string): Promise<unknown> {
    const text = await git('-C', bare(name), 'show', `main:${path}`).catch(() => undefined);
    return text && { type: 'file', name: path, path, content: Buffer.from(text).toString('base64') };
  }

  async function render(name: string, each: MergeRequest): Promise<object> {
    const head = await git('-C', bare(name), 'rev-parse', `refs/heads/${each.branch}`).catch(() => '');
    const repo = { full_name: `acme/${name}` };
    const times = { created_at: '2026-01-01T00:00:00Z', updated_at: new Date().toISOString() };
    return {
      ...{ number: each.number, state: each.state, title: each.title, body: each.body, merged: each.merged },
      ...{ mergeable: true, user, labels: [], assignees: [], ...times },
      base: { ref: 'main' },
      head: { label: each.branch, sha: head.trim() || '0'.repeat(40), repo },
    };
  }

  return {
    url,
    mergeRequests,
    create: async (name, files) => {
      const work = join(folder, 'work', name);
      await git('init', '-q', '-b', 'main', work);
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(work, path)), { recursive: true });
        await writeFile(join(work, path), content);
      }
      await git('-C', work, 'add', '-A');
      await git('-C', work, 'commit', '-q', '-m', 'first');
      await git('clone', '-q', '--bare', work, bare(name));
      await git('-C', bare(name), 'config', 'http.receivepack', 'true');
    },
    diff: async (name, branch) => {
      const text = await git('-C', bare(name), 'diff', '-U0', `main...${branch}`);
      return text.split('\n').filter((line) => /^[-+](?![-+])/.test(line));
    },
    renovate: async (name, environment = {}) => {
      const own = await mkdtemp(join(folder, 'run-'));
      return runRenovate(own, own, {
        RENOVATE_PLATFORM: 'gitea',
        RENOVATE_ENDPOINT: `${url}/`,
        RENOVATE_TOKEN: 'token',
        RENOVATE_REPOSITORIES: `acme/${name}`,
        RENOVATE_ONBOARDING: 'false',
        RENOVATE_DEPENDENCY_DASHBOARD: 'false',
        RENOVATE_PR_HOURLY_LIMIT: '0',
        RENOVATE_PR_CONCURRENT_LIMIT: '0',
        RENOVATE_FETCH_CHANGE_LOGS: 'off',
        ...environment,
      });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function repository(url: string, name: string): object {
  return {
    id: 1,
    full_name: `acme/${name}`,
    owner: { ...user, login: 'acme' },
    default_branch: 'main',
    clone_url: `${url}/acme/${name}.git`,
    empty: false,
    permissions: { admin: true, pull: true, push: true },
    has_pull_requests: true,
    allow_rebase: true,
    allow_merge_commits: true,
  };
}

/** git's own server, as a CGI program. */
async function serveGit(folder: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, search } = new URL(request.url ?? '', 'http://gitea');
  const body = await buffer(request);
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'],
      CONTENT_LENGTH: String(body.length),
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      GIT_PROTOCOL: request.headers['git-protocol'] as string | undefined,
      REMOTE_USER: 'renovate',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  // It need not read all of its input.
  child.stdin.on('error', () => undefined);
  child.stdin.end(body);
  const output = await buffer(child.stdout);
  const end = output.indexOf('\r\n\r\n');
  let status = 200;
  for (const line of output.subarray(0, end).toString('latin1').split('\r\n')) {
    const [key = '', value = ''] = line.split(': ', 2);
    if (key.toLowerCase() === 'status') status = Number.parseInt(value, 10);
    else response.setHeader(key, value);
  }
  response.writeHead(status).end(output.subarray(end + 4));
}
