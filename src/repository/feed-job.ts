/** What a service and the process that starts readers of feeds for it tell each other, over Node's channel. */
import type { FeedJob } from '../advisories/reduce.ts';

export interface FeedReaderJob extends FeedJob {
  /** A folder for a file that is needed for a while. */
  readonly scratch: string;
}

/** To the process. Each `piece` is answered by `taken` before the next one is sent. */
export type FeedRequest =
  | { readonly job: FeedReaderJob }
  | { readonly piece: Uint8Array }
  | { readonly end: true }
  | { readonly stop: true };

/** From it: what is kept of the feed comes in pieces. */
export type FeedReply =
  | { readonly taken: true }
  | { readonly output: Uint8Array }
  | { readonly done: true }
  | { readonly failed: string };

/** The exit code for a feed that cannot be used; what is wrong with it is on standard error. */
export const MALFORMED = 3;
