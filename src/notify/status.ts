/** The state of the notifications of one receiver, as the service reports it. */
export interface NotifyStatus {
  /** Its name in the configuration. */
  readonly receiver: string;
  /** `wolfi@7d` */
  readonly datasource: string;
  /** Names that are watched. */
  readonly names: number;
  /** Events that are not delivered yet. */
  readonly pending: number;
  /** When the oldest of them happened; unix milliseconds, like all times here. */
  readonly oldestAt: number | undefined;
  readonly deliveredAt: number | undefined;
  /** Calls since the start: that were taken, that failed and are repeated, and events that were given up. */
  readonly delivered: number;
  readonly failed: number;
  readonly givenUp: number;
  /** Why the last call failed, or why nothing can be compared. */
  readonly error: string | undefined;
}
