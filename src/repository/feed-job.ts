/** Messages between the service and the process that starts feed readers. */
import type { FeedJob } from '../advisories/reduce.ts';

export interface FeedReaderJob extends FeedJob {
  /** Folders for a temporary file; the first in which one can be made is used. */
  readonly scratch: readonly string[];
}

/** To the process. Each `piece` is acknowledged by `taken` before the next one is sent. */
export type FeedRequest =
  | { readonly job: FeedReaderJob }
  | { readonly piece: Uint8Array }
  | { readonly end: true }
  | { readonly stop: true };

/** From the process: the reduced feed, in pieces. */
export type FeedReply =
  | { readonly taken: true }
  | { readonly output: Uint8Array }
  | { readonly done: true }
  | { readonly failed: string };

/** The exit code for an unusable feed; the reason is on standard error. */
export const MALFORMED = 3;
