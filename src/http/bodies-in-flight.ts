/**
 * Large bodies that are being sent, with a limit on their memory. Clients share a body, which is passed to the system
 * in pieces. A client that takes no piece for too long is disconnected. If there are too many bytes, the client that
 * has been idle longest is disconnected.
 */
import type { ServerResponse } from 'node:http';

const PIECE = 64 * 1024;

export interface BodyLimits {
  /** Bytes of all bodies, each counted once. A larger body is sent alone. */
  readonly maxBytes: number;
  /** Milliseconds within which a client must take a piece. */
  readonly maxStall: number;
}

const defaultLimits: BodyLimits = { maxBytes: 32 * 1024 * 1024, maxStall: 10_000 };

interface Transfer {
  readonly body: Buffer;
  readonly response: ServerResponse;
  readonly stallTimer: NodeJS.Timeout;
  sent: number;
}

export class BodiesInFlight {
  readonly #limits: BodyLimits;
  /** Ordered by progress, the longest idle first. */
  readonly #transfers = new Set<Transfer>();
  readonly #transfersOf = new Map<Buffer, number>();
  #bytes = 0;

  constructor(limits: Partial<BodyLimits> = {}) {
    this.#limits = { ...defaultLimits, ...limits };
  }

  /** Bytes of all bodies, each counted once. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Ends the response with `body`; its head is already written. */
  send(response: ServerResponse, body: Buffer): void {
    const { maxBytes, maxStall } = this.#limits;
    const stallTimer = setTimeout(() => this.#cutOff(transfer), maxStall).unref();
    const transfer: Transfer = { body, response, stallTimer, sent: 0 };
    this.#add(transfer);
    for (const other of this.#transfers) {
      if (this.#bytes <= maxBytes || other === transfer) break;
      this.#cutOff(other);
    }
    response.on('drain', () => this.#continue(transfer));
    response.once('close', () => this.#remove(transfer));
    this.#continue(transfer);
  }

  #continue(transfer: Transfer): void {
    const { body, response, stallTimer } = transfer;
    if (!this.#transfers.delete(transfer)) return;
    this.#transfers.add(transfer);
    stallTimer.refresh();
    let takesMore = true;
    while (takesMore && transfer.sent < body.length) {
      const piece = body.subarray(transfer.sent, transfer.sent + PIECE);
      transfer.sent += piece.length;
      takesMore = response.write(piece);
    }
    if (transfer.sent === body.length) response.end();
  }

  #cutOff(transfer: Transfer): void {
    this.#remove(transfer);
    // A response that waits for an earlier one on its connection has no socket yet.
    (transfer.response.socket ?? transfer.response.req.socket).destroy();
  }

  #add(transfer: Transfer): void {
    const { body } = transfer;
    const others = this.#transfersOf.get(body) ?? 0;
    if (others === 0) this.#bytes += body.length;
    this.#transfersOf.set(body, others + 1);
    this.#transfers.add(transfer);
  }

  #remove(transfer: Transfer): void {
    if (!this.#transfers.delete(transfer)) return;
    clearTimeout(transfer.stallTimer);
    const { body } = transfer;
    const others = (this.#transfersOf.get(body) ?? 1) - 1;
    if (others > 0) this.#transfersOf.set(body, others);
    else {
      this.#transfersOf.delete(body);
      this.#bytes -= body.length;
    }
  }
}
