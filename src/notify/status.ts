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
  /** The time of the oldest one; unix milliseconds, like all times here. */
  readonly oldestAt: number | undefined;
  readonly deliveredAt: number | undefined;
  /** Since the start: accepted calls, failed calls that are repeated, and dropped events. */
  readonly delivered: number;
  readonly failed: number;
  readonly givenUp: number;
  /** Why the last call or comparison failed. */
  readonly error: string | undefined;
}
