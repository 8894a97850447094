/** Loaded into the service with `--import`: reports over the channel how long its event loop was blocked. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface LoopReport {
  /** Milliseconds between two turns of the loop, the 1 ms of the timer included. */
  readonly longest: number;
}

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
process.on('message', (question) => {
  if (question === 'reset') delay.reset();
  const report: LoopReport = { longest: delay.max / 1e6 };
  process.send?.(report);
});
process.channel?.unref();
