/** Pins that were asked for lately and for which a version on offer fixes something. Bounded. */
import { LRUCache } from 'lru-cache';
import type { UrgentFix } from '../answers/security.ts';

export interface AskedPin {
  readonly name: string;
  /** As it was written. */
  readonly pin: string;
  /** The versions that need not wait; empty where nothing is to be fixed. */
  readonly fixes: readonly UrgentFix[];
  /** Since when these fixes are known. Unix milliseconds, like all times here. */
  readonly since: number;
  lastAskedAt: number;
}

const MAX_PINS = 5000;
/** A pin that nobody asked for in so long is not there any more. */
const FORGET_AFTER = 7 * 86_400_000;

export class PinsWithFixes {
  readonly #pins = new Map<string, LRUCache<string, AskedPin>>();
  readonly #now: () => number;

  constructor(datasources: readonly string[], now: () => number) {
    this.#now = now;
    for (const name of datasources) this.#pins.set(name, new LRUCache({ max: MAX_PINS }));
  }

  /** The pin, for `touch`. */
  note(datasource: string, name: string, pin: string, fixes: readonly UrgentFix[]): AskedPin {
    const pins = this.#pins.get(datasource);
    const key = `${name}=${pin}`;
    const before = pins?.get(key);
    const now = this.#now();
    const isSame =
      before?.fixes.map(({ version }) => version).join() === fixes.map(({ version }) => version).join();
    const asked = { name, pin, fixes, since: isSame ? before.since : now, lastAskedAt: now };
    pins?.set(key, asked);
    return asked;
  }

  /** It was asked for again. */
  touch(asked: AskedPin): void {
    asked.lastAskedAt = this.#now();
  }

  /** Those for which there is a fix, the latest first. */
  list(datasource: string): readonly AskedPin[] {
    const oldest = this.#now() - FORGET_AFTER;
    return [...(this.#pins.get(datasource)?.values() ?? [])]
      .filter(({ fixes, lastAskedAt }) => fixes.length > 0 && lastAskedAt >= oldest)
      .sort((a, b) => b.since - a.since);
  }
}
