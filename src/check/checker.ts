/** Judges each pin by the datasource that its file builds on, and the pins of an image together. */
import { parseVersion } from '../apk/version.ts';
import { finish } from '../catalog/steps.ts';
import { UsageError } from '../errors.ts';
import { isExactPin } from '../pins/pin.ts';
import { parsePinContext, type ContextParameters } from '../routing/pin-context.ts';
import {
  repositoriesAmong,
  repositoryId,
  type RepositoryId,
  type RepositoryLine,
} from '../routing/repositories.ts';
import { createRouter, type Route, type Router, type RoutingSource } from '../routing/route.ts';
import { apkoMeets } from './apko.ts';
import { judge } from './judge.ts';
import type { PinToJudge, Judged, Judgment, Policy, Problem, Tags } from './judgment.ts';
import { meetsOf } from './meets.ts';
import { levelOf } from './rules.ts';
import type { ApkoObstacle, Source } from './source.ts';
import { spellingProblems } from './spelling.ts';

export interface CheckerOptions {
  readonly sources: readonly Source[];
  readonly routing: readonly RoutingSource[];
  readonly policy: Policy;
  /** Unix milliseconds. */
  readonly now: number;
  /** Names that recipes among the files build; they need not be in an index yet. */
  readonly built?: ReadonlySet<string>;
}

/** What the file says about a pin. */
interface Routed {
  readonly route: Route;
  readonly archs: readonly string[];
  readonly tags: Tags;
  /** Identities of the repositories that a definition lists. */
  readonly repositories: readonly string[];
}

/** Pins that apko installs together, and the datasource that has all of them. */
interface Image {
  readonly pins: readonly PinToJudge[];
  readonly source: Source;
  readonly archs: readonly string[];
  readonly tags: Tags;
  /** `unknown` if it may need what the datasource does not have. */
  readonly obstacle: ApkoObstacle | 'unknown';
  /** The datasource has every repository that the image lists, and none of its packages is built by the files. */
  readonly isWhole: boolean;
}

/** Milliseconds. Ages are rounded to the hour, so that judgments can be cached. */
const HOUR = 3_600_000;
/** Of images with more pins, the conflicting ones are not looked for. */
const MAX_REMOVED = 100;
/** Of an image, the most pins that keep their version because of the others. If it takes more, none is raised. */
const MAX_HELD = 10;
/** The most pins that a message lists. */
const MAX_LISTED = 10;
const noTags: Tags = { key: '', of: () => undefined };

export class Checker {
  readonly #options: CheckerOptions;
  readonly #now: number;
  readonly #route: Router;
  readonly #repositoriesOf: (address: string) => readonly RepositoryId[];
  readonly #sources: ReadonlyMap<string, Source>;
  readonly #contexts = new Map<ContextParameters, Routed>();
  /** By the content of the parameters, which is often equal in the files of a repository. */
  readonly #texts = new Map<string, Routed>();

  /** Throws `UsageError` for a policy that would raise nothing, whatever is known. */
  constructor(options: CheckerOptions) {
    if (options.policy.security === true && !options.sources.some((source) => source.hasAdvisories))
      throw new UsageError('--security needs advisories, and no datasource has any');
    this.#options = options;
    this.#now = Math.floor(options.now / HOUR) * HOUR;
    this.#route = createRouter(options.routing);
    this.#repositoriesOf = repositoriesAmong(options.routing.flatMap(({ repositories }) => repositories));
    this.#sources = new Map(options.sources.map((source) => [source.name, source]));
  }

  /** One judgment per pin, in their order. Pins of one world must be in the same call. */
  judge(pins: readonly PinToJudge[]): readonly Judgment[] {
    return finish(this.judgeInSteps(pins));
  }

  /** The same with a pause after each pin. */
  *judgeInSteps(pins: readonly PinToJudge[]): Generator<undefined, readonly Judgment[]> {
    const judgments = Array<Judgment>(pins.length);
    for (const places of Map.groupBy(pins.keys(), (i) => pins[i]?.world).values()) {
      const world = places.map((i) => pins[i] as PinToJudge);
      const image = yield* this.#image(world);
      yield;
      let judged = yield* this.#judgeEach(world, image?.obstacle === 'none' ? image.pins : []);
      // What fails alone may resolve with the others. Asked last, because it is slow.
      if (image?.obstacle === 'unknown' && judged.some((each) => isBroken(each) || lacks(each))) {
        const { obstacle } = yield* resolved(image);
        if (obstacle === 'none') judged = yield* this.#judgeEach(world, image.pins);
      }
      const together = yield* this.#judgeTogether(world, judged, image);
      const held = yield* this.#heldBack(world, judged, image);
      // As for contradictions, archs that a datasource does not have are reported at its last pin.
      const lastOf = new Map(world.map((pin, k) => [this.#sourceOf(pin), k]));
      for (const [k, i] of places.entries()) {
        const { judgment } = judged[k] as Judged;
        const { target, ...rest } = judgment;
        const pin = world[k] as PinToJudge;
        const isLast = lastOf.get(this.#sourceOf(pin)) === k;
        const unchecked = isLast ? this.#uncheckedArchs(pin) : [];
        const more = [...(together.get(k) ?? []), ...unchecked];
        const heldBecause = held.get(k);
        judgments[i] = {
          ...rest,
          problems: [...judgment.problems, ...more],
          ...(heldBecause !== undefined
            ? { heldBecause }
            : target !== undefined && pin.stays !== true && { target }),
        };
      }
    }
    return judgments;
  }

  /** `resolved` are the pins that are known to resolve together. */
  *#judgeEach(
    world: readonly PinToJudge[],
    resolved: readonly PinToJudge[],
  ): Generator<undefined, readonly Judged[]> {
    const judged: Judged[] = [];
    for (const pin of world) {
      judged.push(this.#judgeAlone(pin, resolved.includes(pin)));
      yield;
    }
    return judged;
  }

  #judgeAlone(pin: PinToJudge, isResolved: boolean): Judged {
    const spelling = spellingProblems(pin);
    const { route, archs, tags } = this.#routed(pin);
    if ('noOpinion' in route) return alone({ notAsked: route.noOpinion, problems: spelling });
    const { datasource } = route;
    const source = this.#sources.get(datasource);
    if (!source) return alone({ notAsked: `${datasource} could not be loaded`, problems: spelling });
    if (this.#isBuiltHere(pin, source)) return alone({ datasource, problems: spelling });
    const options = {
      now: this.#now,
      policy: this.#options.policy,
      archs: this.#archsOf(source, archs),
      tags,
      isResolved,
    };
    if (options.archs.length === 0)
      return alone({ notAsked: `${datasource} has no ${archs.join(' and no ')}`, problems: spelling });
    if (!isReadable(spelling)) {
      const { judgment } = judge({ ...pin, operator: '', version: '' }, source, options);
      const unknown = judgment.problems.filter(({ rule }) => rule === 'unknown-name');
      return alone({ datasource, problems: [...spelling, ...unknown] });
    }
    const { judgment, floating } = judge(pin, source, options);
    const problems = judgment.problems.map((each) => this.#ofOther(each, pin, datasource));
    return { judgment: { ...judgment, problems: [...spelling, ...problems] }, floating };
  }

  /** A version that does not exist may belong to another distribution. */
  #ofOther(problem: Problem, pin: PinToJudge, own: string): Problem {
    if (problem.rule !== 'withdrawn') return problem;
    const other = this.#options.sources.find((each) => each.name !== own && isIn(each, pin))?.name;
    if (other === undefined) return problem;
    const message = `${pin.name} ${pin.version} is a version of ${other}, and the image is of another distribution`;
    return { ...problem, rule: 'other-distribution', message };
  }

  #isBuiltHere({ name }: PinToJudge, source: Source): boolean {
    return this.#options.built?.has(name) === true && !source.has(name);
  }

  /** Pins of a stage or list share one object of parameters, except pins with tags or options. */
  #routed({ context }: PinToJudge): Routed {
    let known = this.#contexts.get(context);
    if (!known) {
      const text = JSON.stringify(context);
      known = this.#texts.get(text) ?? this.#read(context);
      this.#texts.set(text, known);
      this.#contexts.set(context, known);
    }
    return known;
  }

  #read(context: ContextParameters): Routed {
    const parsed = parsePinContext(context);
    const isDefinition = parsed.kind === 'definition';
    return {
      route: this.#route(parsed),
      archs: isDefinition ? parsed.archs : [],
      tags: isDefinition ? tagsOf(parsed.repositories, this.#repositoriesOf) : noTags,
      repositories: isDefinition ? parsed.repositories.map(({ address }) => repositoryId(address).id) : [],
    };
  }

  /** The file's archs that the datasource has; all of the datasource's archs if the file lists none. */
  #archsOf(source: Source, listed: readonly string[]): readonly string[] {
    return listed.length === 0 ? source.archs : source.archs.filter((arch) => listed.includes(arch));
  }

  #sourceOf(pin: PinToJudge): Source | undefined {
    const { route } = this.#routed(pin);
    return 'noOpinion' in route ? undefined : this.#sources.get(route.datasource);
  }

  /** A note if the datasource of the pin does not have all archs of its image. */
  #uncheckedArchs(pin: PinToJudge): readonly Problem[] {
    const source = this.#sourceOf(pin);
    const unknown = source ? this.#routed(pin).archs.filter((arch) => !source.archs.includes(arch)) : [];
    const message = `${source?.name} has no ${unknown.join(' and no ')}, so that is not checked`;
    return unknown.length === 0 ? [] : [{ rule: 'not-asked', message, archs: unknown }];
  }

  /** `undefined` unless one datasource has the repositories of all pins. */
  *#image(world: readonly PinToJudge[]): Generator<undefined, Image | undefined> {
    const all = world.filter(({ tool, isRuntime, isLocked }) => tool === 'apko' && !isRuntime && !isLocked);
    const pins: PinToJudge[] = [];
    let widest: { readonly source: Source; readonly routed: Routed } | undefined;
    for (const pin of all) {
      const routed = this.#routed(pin);
      const source = this.#sourceOf(pin);
      if (!source || !isReadable(spellingProblems(pin))) return undefined;
      if (this.#isBuiltHere(pin, source)) continue;
      pins.push(pin);
      if (source === widest?.source) continue;
      if (!widest || source.repositories.isSupersetOf(widest.source.repositories))
        widest = { source, routed };
      else if (!source.repositories.isSubsetOf(widest.source.repositories)) return undefined;
    }
    if (!widest) return undefined;
    const { source, routed } = widest;
    const where = { archs: this.#archsOf(source, routed.archs), tags: routed.tags };
    if (where.archs.length === 0) return undefined;
    const isWhole = pins.length === all.length && this.#hasAll(source, routed.repositories);
    const image: Image = { pins, source, ...where, obstacle: 'unknown', isWhole };
    return source.isComplete ? yield* resolved(image) : image;
  }

  #hasAll(source: Source, listed: readonly string[]): boolean {
    const known = new Set([...source.repositories].flatMap(this.#repositoriesOf).map(({ id }) => id));
    return listed.length > 0 && listed.every((id) => known.has(id));
  }

  /** Problems that pins cause for each other, by index. */
  *#judgeTogether(
    world: readonly PinToJudge[],
    judged: readonly Judged[],
    image: Image | undefined,
  ): Generator<undefined, ReadonlyMap<number, readonly Problem[]>> {
    const found = new Map<number, readonly Problem[]>();
    const exact = new Map<string, PinToJudge>();
    for (const [i, pin] of world.entries()) {
      if (pin.isLocked || pin.operator !== '=') continue;
      const other = exact.get(pin.name);
      if (!other) exact.set(pin.name, pin);
      else if (pin.tool === 'apko' && apkoMeets('=', other.version)?.(pin.version) === false)
        found.set(i, [
          {
            rule: 'contradicting-pins',
            message: `${other.text} is pinned as well, and one image holds one version`,
          },
        ]);
    }
    const conflict =
      judged.some(isBroken) || found.size > 0
        ? undefined
        : ((yield* this.#conflict(world, judged, image)) ?? (yield* possibleConflict(judged, image)));
    // Reported at the last pin, because those of included files come first.
    const last = conflict?.pins.at(-1);
    if (conflict && last)
      found.set(world.indexOf(last), [
        {
          rule: conflict.pins.length === 1 ? 'dependency-missing' : 'contradicting-pins',
          message: `it ${contradiction(last, conflict)}`,
          archs: [conflict.arch],
          ...(conflict.level && { level: conflict.level }),
        },
      ]);
    for (const [i, { floating, judgment }] of judged.entries()) {
      const { problems } = judgment;
      if (found.has(i) || problems.some(({ rule }) => rule !== 'behind' && rule !== 'double-equals'))
        continue;
      const problem = floatingProblem(world[i] as PinToJudge, floating, exact);
      if (problem) found.set(i, [problem]);
    }
    return found;
  }

  /**
   * Why pins keep their version, by index: the newer one cannot be installed with what the others are raised to. Names
   * become exact pins by another command, so they are judged separately.
   */
  *#heldBack(
    world: readonly PinToJudge[],
    judged: readonly Judged[],
    image: Image | undefined,
  ): Generator<undefined, ReadonlyMap<number, string>> {
    const held = new Map<number, string>();
    let present = image;
    for (const isName of [false, true]) {
      const targets = world.map(({ operator, isLocked, isRuntime, stays = false }, i) =>
        (operator === '') === isName && !isLocked && !isRuntime && !stays
          ? judged[i]?.judgment.target
          : undefined,
      );
      const raisedPlaces = (): readonly number[] =>
        [...targets.keys()].filter((i) => targets[i] !== undefined);
      for (let places = raisedPlaces(); places.length > 0; places = raisedPlaces()) {
        const raised = world.map((pin, i) => raisedTo(pin, targets[i]));
        const next = present && (yield* resolved(withPins(present, world, raised)));
        // If it fails only now, it needs nothing that the datasource does not have.
        if (present?.obstacle === 'unknown' && next?.obstacle !== 'none') {
          present = yield* resolved(present);
          if (present.obstacle !== 'none') present = undefined;
        }
        const conflict = yield* this.#conflict(raised, judged, present && next);
        const wasFine = present?.obstacle === 'none';
        // An image that failed before may fail for the same reason.
        if (!conflict || (!wasFine && conflict.pins.length > MAX_REMOVED)) break;
        const conflicting = places.filter((i) => conflict.pins.includes(raised[i] as PinToJudge));
        // A pin that stays may resolve only with the old version of another one.
        const candidates = conflicting.length === 0 && wasFine ? places : conflicting;
        if (candidates.length === 0) break;
        for (const i of held.size < MAX_HELD ? candidates.slice(-1) : places) {
          held.set(i, `${targets[i]} ${contradiction(raised[i] as PinToJudge, conflict)}`);
          targets[i] = undefined;
        }
      }
    }
    return held;
  }

  *#conflict(
    world: readonly PinToJudge[],
    judged: readonly Judged[],
    image: Image | undefined,
  ): Generator<undefined, Conflict | undefined> {
    return image && image.obstacle !== 'unknown'
      ? yield* conflictByApko(image)
      : yield* this.#exactConflict(world, judged);
  }

  /** A conflict of exact pins with others of the same name, or of those of one datasource because of exact dependencies. */
  *#exactConflict(
    world: readonly PinToJudge[],
    judged: readonly Judged[],
  ): Generator<undefined, Conflict | undefined> {
    const own = [...world.entries()].filter(([, pin]) => !pin.isLocked && !pin.isRuntime);
    const exact = own.filter(([, pin]) => isExactPin(pin));
    const ofApko = own.map(([, pin]) => pin).filter(({ tool }) => tool === 'apko');
    const ofApkoByName = Map.groupBy(ofApko, ({ name }) => name);
    const groups = Map.groupBy(exact, ([i]) => judged[i]?.judgment.datasource ?? '');
    for (const [datasource, group] of groups) {
      const pins = group.map(([, pin]) => pin);
      const [first] = pins;
      const source = this.#sources.get(datasource);
      if (!first || !source) continue;
      const archs = this.#archsOf(source, this.#routed(first).archs);
      const excluding = pairExcluding(pins, ofApkoByName);
      if (excluding) {
        const fact = 'one image holds one version';
        return { pins: world.filter((pin) => excluding.includes(pin)), fact, arch: archs[0] ?? '' };
      }
      if (pins.length < 2) continue;
      for (const arch of archs) {
        const found = yield* source.conflict(pins, first.tool, arch);
        if (found) return { ...found, arch };
      }
    }
    return undefined;
  }
}

/** Pins that cannot be installed together. */
interface Conflict {
  readonly pins: readonly PinToJudge[];
  readonly arch: string;
  readonly fact: string;
  /** Another than that of the rule: apko may be given repositories that the image does not list. */
  readonly level?: 'warning';
}

/** What apko's resolver says of an image whose repositories are all known, unless a missing dependency is reported already. */
function* possibleConflict(
  judged: readonly Judged[],
  image: Image | undefined,
): Generator<undefined, Conflict | undefined> {
  if (image?.obstacle !== 'unknown' || !image.isWhole || judged.some(lacks)) return undefined;
  const conflict = yield* conflictByApko(yield* resolved(image));
  return conflict && { ...conflict, level: 'warning' };
}

/** Removes pins one by one while the rest still fails; the remaining ones conflict. Of too many pins, all do. */
function* conflictByApko({
  pins,
  source,
  obstacle,
  ...where
}: Image): Generator<undefined, Conflict | undefined> {
  if (typeof obstacle !== 'object') return undefined;
  if (pins.length > MAX_REMOVED) return { pins, ...obstacle };
  let left = pins;
  let last = obstacle;
  for (const pin of pins) {
    const others = left.filter((each) => each !== pin);
    const still = yield* source.obstacleByApko(others, where);
    if (typeof still === 'object') [left, last] = [others, still];
  }
  return { pins: left, ...last };
}

/** An exact pin, and another pin of the same name that excludes its version. */
function pairExcluding(
  exact: readonly PinToJudge[],
  byName: ReadonlyMap<string, readonly PinToJudge[]>,
): readonly PinToJudge[] | undefined {
  for (const pin of exact) {
    const other = byName.get(pin.name)?.find((each) => meetsOf(each)?.(pin.version) === false);
    if (other) return [pin, other];
  }
  return undefined;
}

function contradiction(pin: PinToJudge, { pins, arch, fact }: Conflict): string {
  const others = pins.filter((each) => each !== pin).map(({ text }) => text);
  const listed = others.length > MAX_LISTED ? `${others.length} others` : others.join(', ');
  const what = others.length === 0 ? '' : ` with ${listed}`;
  return `cannot be installed${what} on ${arch}: ${fact}`;
}

function raisedTo(pin: PinToJudge, target: string | undefined): PinToJudge {
  if (target === undefined) return pin;
  const operator = pin.operator === '' ? '=' : pin.operator;
  return { ...pin, operator, version: target, text: `${pin.name}${operator}${target}` };
}

/** The image as if it needed nothing that the datasource does not have. */
function* resolved(image: Image): Generator<undefined, Image> {
  return { ...image, obstacle: yield* image.source.obstacleByApko(image.pins, image) };
}

/** The image with other pins instead of those of `world`. */
function withPins(image: Image, world: readonly PinToJudge[], others: readonly PinToJudge[]): Image {
  return { ...image, pins: image.pins.map((pin) => others[world.indexOf(pin)] as PinToJudge) };
}

/** The problem of an exact pin whose dependencies are not pinned. */
function floatingProblem(
  { name }: PinToJudge,
  floating: readonly string[],
  exact: ReadonlyMap<string, PinToJudge>,
): Problem | undefined {
  const loose = floating.filter((each) => !exact.has(each));
  if (loose.length === 0) return undefined;
  const more = loose.length > 3 ? ` and ${loose.length - 3} more` : '';
  const some = loose.slice(0, 3).join(', ');
  return {
    rule: 'floating-dependencies',
    message: `${name} is pinned, ${some}${more} that it needs are not`,
  };
}

function alone(judgment: Judgment): Judged {
  return { judgment, floating: [] };
}

/** A dependency may be in a repository that is not configured, or of a package that apko does not choose. */
function lacks({ judgment: { problems } }: Judged): boolean {
  return problems.some(({ rule }) => rule === 'dependency-missing');
}

function isBroken({ judgment: { problems } }: Judged): boolean {
  return problems.some(({ rule, level = levelOf(rule) }) => level === 'error');
}

function isReadable(spelling: readonly Problem[]): boolean {
  return !spelling.some(({ rule }) => rule === 'invalid-version' || rule === 'tag-form');
}

function tagsOf(
  lines: readonly RepositoryLine[],
  repositoriesOf: (address: string) => readonly RepositoryId[],
): Tags {
  const tags = new Map(
    lines.flatMap(({ address, tag }) =>
      tag === undefined ? [] : [[repositoryId(address).id, tag] as const],
    ),
  );
  if (tags.size === 0) return noTags;
  const of = (repository: string): string | undefined =>
    repositoriesOf(repository)
      .map(({ id }) => tags.get(id))
      .find((tag) => tag !== undefined);
  return { key: JSON.stringify([...tags]), of };
}

function isIn(source: Source, pin: PinToJudge): boolean {
  if (!parseVersion(pin.version)) return false;
  const { report } = source.view(pin.name, pin.tool, source.archs);
  return report.versions.some(({ version }) => version === pin.version);
}
