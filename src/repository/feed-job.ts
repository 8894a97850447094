/** What a service and the process that reads a feed for it agree upon. */
import type { FeedFormat } from '../advisories/reduce.ts';

export interface FeedReaderJob extends FeedFormat {
  /** A folder for a file that is needed for a while. */
  readonly scratch: string;
}

/** The exit code for a feed that cannot be used; what is wrong with it is on standard error. */
export const MALFORMED = 3;
