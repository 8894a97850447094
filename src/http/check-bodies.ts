/** Bodies of checks are large and from anyone: limits on their memory, and on the time to parse one. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** The largest body: two thousand pins with the context of their files. */
export const MAX_CHECK_BYTES = 8 * 1024 * 1024;
/** JSON values in a body; the same pins have about 70,000. Millions in one body would block requests for seconds. */
export const MAX_VALUES = 100_000;

/**
 * The bodies being received or judged, with a limit on their bytes. If there are too many, the clients that have been
 * sending for longest are disconnected.
 */
export class CheckBodies {
  readonly #maxBytes: number;
  /** With the announced length, the oldest first. */
  readonly #requests = new Map<IncomingMessage, number>();
  #bytes = 0;

  constructor(maxBytes = 4 * MAX_CHECK_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Whether there is room for the body of `request`, until `response` is closed. */
  admit(request: IncomingMessage, response: ServerResponse): boolean {
    const announced = Number(request.headers['content-length'] ?? MAX_CHECK_BYTES);
    const bytes = Math.min(announced, MAX_CHECK_BYTES);
    for (const [other] of this.#requests) {
      if (this.#bytes + bytes <= this.#maxBytes) break;
      if (other.complete) continue;
      this.#remove(other);
      other.socket.destroy();
    }
    if (this.#bytes + bytes > this.#maxBytes) return false;
    this.#requests.set(request, bytes);
    this.#bytes += bytes;
    response.once('close', () => this.#remove(request));
    return true;
  }

  #remove(request: IncomingMessage): void {
    this.#bytes -= this.#requests.get(request) ?? 0;
    this.#requests.delete(request);
  }
}

/** Whether a JSON text has more than `MAX_VALUES`. Does not parse it. */
export function hasTooManyValues(json: string): boolean {
  const sign = /["\\,[{]/g;
  let values = 1;
  let isInText = false;
  for (let found = sign.exec(json); found && values <= MAX_VALUES; found = sign.exec(json)) {
    if (found[0] === '"') isInText = !isInText;
    else if (found[0] === '\\') sign.lastIndex += 1;
    else if (!isInText) values += 1;
  }
  return values > MAX_VALUES;
}
