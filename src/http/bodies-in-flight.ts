/**
 * Large bodies on their way to clients, and the bound on the memory they take. Clients share the body they are sent,
 * which is handed to the system in pieces; one that takes none for too long is cut off, and so is the one that has
 * taken none for longest where there are too many bytes.
 */
import type { ServerResponse } from 'node:http';

const PIECE = 64 * 1024;

export interface BodyLimits {
  /** Bytes of all bodies together, each counted once. A larger one is sent alone. */
  readonly maxBytes: number;
  /** Milliseconds in which a client has to take a piece. */
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
  /** The one that has made no progress for longest comes first. */
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

  /** Ends the response with `body`; its head is written. */
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
    // A response that waits for the one before it on its connection has no socket of its own yet.
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
