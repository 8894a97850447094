/** The state of the ledger, as the service reports it. */

export type LedgerKind = 'memory' | 'sqlite' | 'postgres';

export interface LedgerStatus {
  readonly kind: LedgerKind;
  /** Why the last write failed. */
  readonly error: string | undefined;
  /** Seconds by which the clock is behind the newest time of the ledger. */
  readonly clockBehind: number;
  /** Packages that took over the name and version of another one since the start. */
  readonly republished: number;
  /** Indexes whose ledger was lost since the start. */
  readonly lost: number;
}
