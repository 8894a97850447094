/** Recently looked up pins for which an offered version is a fix. Bounded. */
import { LRUCache } from 'lru-cache';
import type { UrgentFix } from '../answers/security.ts';

export interface TrackedPin {
  readonly name: string;
  /** As it was written. */
  readonly pin: string;
  /** The fixes that need not wait; empty if there are none. */
  readonly fixes: readonly UrgentFix[];
  /** Since when these fixes are known. Unix milliseconds, like all times here. */
  readonly since: number;
  lastAskedAt: number;
}

const MAX_PINS = 5000;
/** A pin that was not looked up for this long is dropped. */
const FORGET_AFTER = 7 * 86_400_000;

export class PinsWithFixes {
  readonly #pins = new Map<string, LRUCache<string, TrackedPin>>();
  readonly #now: () => number;

  constructor(datasources: readonly string[], now: () => number) {
    this.#now = now;
    for (const name of datasources) this.#pins.set(name, new LRUCache({ max: MAX_PINS }));
  }

  /**
   * Records the pin and returns it for `touch`. `how` distinguishes lookups with different fixes: the view, the archs
   * and so on.
   */
  note(
    datasource: string,
    { name, pin, how }: { readonly name: string; readonly pin: string; readonly how: string },
    fixes: readonly UrgentFix[],
  ): TrackedPin {
    const pins = this.#pins.get(datasource);
    const key = `${name}=${pin} ${how}`;
    const before = pins?.get(key);
    const now = this.#now();
    const isSame =
      before?.fixes.map(({ version }) => version).join() === fixes.map(({ version }) => version).join();
    const asked = { name, pin, fixes, since: isSame ? before.since : now, lastAskedAt: now };
    pins?.set(key, asked);
    return asked;
  }

  /** Records that it was looked up again. */
  touch(asked: TrackedPin): void {
    asked.lastAskedAt = this.#now();
  }

  /** The pins with a fix, each once, with the fix that was known first; latest first. */
  list(datasource: string): readonly TrackedPin[] {
    const oldest = this.#now() - FORGET_AFTER;
    const asked = [...(this.#pins.get(datasource)?.values() ?? [])]
      .filter(({ fixes, lastAskedAt }) => fixes.length > 0 && lastAskedAt >= oldest)
      .sort((a, b) => b.since - a.since);
    return [...new Map(asked.map((each) => [`${each.name}=${each.pin}`, each])).values()].sort(
      (a, b) => b.since - a.since,
    );
  }
}
