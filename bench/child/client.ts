/**
 * A load generator: `client.ts closed|once|open URL PATHS SECONDS N`. `closed`: N connections, each sends the next
 * request when it has its answer. `once`: the same, but each path only once, in at most SECONDS. `open`: N requests a
 * second at a constant rate. If the server stalls, requests wait for a connection, and their waiting time counts.
 * Prints a `ClientReport`.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';

export interface ClientReport {
  readonly requests: number;
  readonly seconds: number;
  /** Answers other than 200. */
  readonly failures: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** For `open`: the longest answer in each tenth of a second, for a plot. */
  readonly timeline: readonly number[];
}

const [mode = '', url = '', pathsFile = '', seconds = '1', n = '1'] = process.argv.slice(2);
const { hostname, port, pathname } = new URL(url);
const paths = JSON.parse(readFileSync(pathsFile, 'utf8')) as string[];
const base = pathname.replace(/\/$/, '');
const requests = paths.map((path) =>
  Buffer.from(`GET ${base}/${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`),
);
const latencies: number[] = [];
const timeline: number[] = [];
let failures = 0;
let next = 0;
let began = performance.now();
const duration = Number(seconds) * 1000;

/** A keep-alive connection that carries one request at a time. */
class Connection {
  readonly #socket: Socket;
  #due = 0;
  #received = '';
  #missing = 0;
  readonly #onDone: (connection: Connection) => void;

  constructor(onDone: (connection: Connection) => void) {
    this.#onDone = onDone;
    this.#socket = connect(Number(port), hostname);
    this.#socket.setNoDelay(true).setEncoding('latin1');
    this.#socket.on('data', (data) => this.#receive(String(data)));
  }

  send(due: number): void {
    this.#due = due;
    this.#socket.write(requests[next] as Buffer);
    next = (next + 1) % requests.length;
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(data: string): void {
    if (this.#missing > 0) {
      this.#missing -= data.length;
    } else {
      this.#received += data;
      const end = this.#received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = this.#received.slice(0, end);
      const length = /content-length: (\d+)/i.exec(head)?.[1];
      // Without a length the body is chunked, like longer answers of Go's servers.
      if (length === undefined && !this.#received.endsWith('\r\n0\r\n\r\n')) return;
      if (!head.startsWith('HTTP/1.1 200')) failures += 1;
      this.#missing = length === undefined ? 0 : Number(length) - (this.#received.length - end - 4);
      this.#received = '';
    }
    if (this.#missing <= 0) this.#done();
  }

  #done(): void {
    this.#missing = 0;
    const now = performance.now();
    const took = now - this.#due;
    latencies.push(took);
    const slot = Math.floor((now - began) / 100);
    timeline[slot] = Math.max(timeline[slot] ?? 0, took);
    this.#onDone(this);
  }
}

async function closed(connections: number): Promise<void> {
  const all = Array.from(
    { length: connections },
    () =>
      new Connection((each) => {
        each.send(performance.now());
      }),
  );
  for (const each of all) each.send(performance.now());
  await sleep(duration);
  for (const each of all) each.close();
}

async function once(connections: number): Promise<void> {
  let sent = 0;
  const send = (each: Connection): void => {
    if (sent === requests.length) return;
    sent += 1;
    each.send(performance.now());
  };
  const all = Array.from({ length: connections }, () => new Connection(send));
  for (const each of all) send(each);
  while (latencies.length < requests.length && performance.now() - began < duration) await sleep(1);
  for (const each of all) each.close();
}

const MOST_CONNECTIONS = 64;

async function open(rate: number): Promise<void> {
  const idle: Connection[] = [];
  const waiting: number[] = [];
  const all: Connection[] = [];
  const connect = (): Connection => {
    const connection = new Connection((each) => {
      const due = waiting.shift();
      if (due === undefined) idle.push(each);
      else each.send(due);
    });
    all.push(connection);
    return connection;
  };
  await sleep(50);
  began = performance.now();
  for (let sent = 0; performance.now() - began < duration;) {
    await sleep(1);
    const due = Math.floor(((performance.now() - began) / 1000) * rate);
    for (; sent < due; sent += 1) {
      const at = performance.now();
      // No more connections than needed: servers close connections without requests.
      const free = idle.pop() ?? (all.length < MOST_CONNECTIONS ? connect() : undefined);
      if (free) free.send(at);
      else waiting.push(at);
    }
  }
  await sleep(200);
  for (const each of all) each.close();
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

const modes: Readonly<Record<string, (n: number) => Promise<void>>> = { closed, once, open };
await modes[mode]?.(Number(n));
latencies.sort((a, b) => a - b);
const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? NaN;
const report: ClientReport = {
  requests: latencies.length,
  seconds: (performance.now() - began) / 1000,
  failures,
  p50: at(0.5),
  p99: at(0.99),
  p999: at(0.999),
  timeline: Array.from(timeline, (value) => value ?? 0),
};
process.stdout.write(JSON.stringify(report));
