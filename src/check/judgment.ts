/** The pins to judge, and their judgments. */
import type { Pin } from '../pins/pin.ts';
import type { Level, RuleId } from './rules.ts';

/** A pin without its place, as sent to a service. */
export type PinToJudge = Pick<
  Pin,
  | 'text'
  | 'name'
  | 'operator'
  | 'version'
  | 'tag'
  | 'tagIsBehind'
  | 'tool'
  | 'isRuntime'
  | 'isLocked'
  | 'context'
> & {
  /** Pins with the same value are installed together. */
  readonly world: string;
  /** Its version stays, whatever the newer ones. */
  readonly stays?: boolean | undefined;
};

/** The size of an update: the revision only, the third number, the second, or the first. */
export type Step = 'rebuild' | 'patch' | 'minor' | 'major';
export const steps: readonly Step[] = ['rebuild', 'patch', 'minor', 'major'];

/** The newer versions to which a pin may be raised. */
export interface Policy {
  readonly within: Step;
  /** Milliseconds since the version was released: first seen, or built where no ledger is kept. */
  readonly minAge: number;
  /** Only to the lowest version that fixes most of the vulnerabilities known at the pin, whatever its age. */
  readonly security?: boolean | undefined;
}

export interface Problem {
  readonly rule: RuleId;
  /** Lower case, no full stop. */
  readonly message: string;
  /** The archs it concerns. */
  readonly archs?: readonly string[];
  /** If it differs from the rule's level. */
  readonly level?: Level;
  /** The day on which the needed version was withdrawn, such as `2026-11-20`, if a ledger knows it. */
  readonly since?: string;
}

export interface Judgment {
  readonly datasource?: string;
  /** Why the pin is not looked up. */
  readonly notAsked?: string;
  readonly problems: readonly Problem[];
  /**
   * The newest version that is newer than the pin and fits the policy, as precise as the pin; for a name, an exact one.
   */
  readonly target?: string;
  /**
   * Why there is no target, although there is a newer version: it conflicts with other pins of an image, or the policy
   * needs advisories that the datasource does not have.
   */
  readonly heldBecause?: string;
  /** The newest version of all. */
  readonly newest?: string;
  readonly step?: Step;
}

/** The tags that an image gives repositories. */
export interface Tags {
  /** The same for the same tags. */
  readonly key: string;
  readonly of: (repository: string) => string | undefined;
}

export interface JudgeOptions {
  /** Unix milliseconds. */
  readonly now: number;
  readonly policy: Policy;
  /** The archs of the image. */
  readonly archs: readonly string[];
  readonly tags: Tags;
  /** The pin's whole image is known to resolve. */
  readonly isResolved: boolean;
}

export interface Judged {
  readonly judgment: Judgment;
  /** For an exact pin without problems: the dependencies that are not exact. */
  readonly floating: readonly string[];
}
