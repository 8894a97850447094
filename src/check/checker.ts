/** Judges each pin by the datasource that its file builds on, and adds findings that need all pins of an image. */
import { parseVersion } from '../apk/version.ts';
import type { ContextParameters } from '../routing/pin-context.ts';
import { finish } from '../catalog/steps.ts';
import { parsePinContext } from '../routing/pin-context.ts';
import { heldRepositories, repositoryId } from '../routing/repositories.ts';
import { createRouter, type Route, type Router, type RoutingSource } from '../routing/route.ts';
import {
  judge,
  meetsOf,
  spellingProblems,
  type AskedPin,
  type JudgeOptions,
  type Judgment,
  type Policy,
  type Problem,
  type Source,
} from './judge.ts';

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
  /** Ids of the repositories that have the pin's tag. */
  readonly tagged: ReadonlySet<string>;
}

export class Checker {
  readonly #options: CheckerOptions;
  readonly #route: Router;
  readonly #sources: ReadonlyMap<string, Source>;
  readonly #contexts = new Map<ContextParameters, Routed>();

  constructor(options: CheckerOptions) {
    this.#options = options;
    this.#route = createRouter(options.routing);
    this.#sources = new Map(options.sources.map((source) => [source.name, source]));
  }

  /** One judgment per pin, in their order. Pins of one world must be in the same call. */
  judge(pins: readonly AskedPin[]): readonly Judgment[] {
    return finish(this.judgeInSteps(pins));
  }

  /** The same with a pause after each pin. */
  *judgeInSteps(pins: readonly AskedPin[]): Generator<undefined, readonly Judgment[]> {
    const judgments: Judgment[] = [];
    for (const pin of pins) {
      judgments.push(this.#judgeAlone(pin));
      yield;
    }
    const together = Map.groupBy(pins.keys(), (i) => pins[i]?.world ?? '');
    for (const members of together.values()) this.#judgeTogether(members, pins, judgments);
    return judgments;
  }

  #judgeAlone(pin: AskedPin): Judgment {
    const spelling = spellingProblems(pin);
    const { route, archs, tagged } = this.#routed(pin);
    if ('noOpinion' in route) return { notAsked: route.noOpinion, problems: spelling };
    const { datasource } = route;
    const source = this.#sources.get(datasource);
    const isBuiltHere = this.#options.built?.has(pin.name) === true;
    if (!source) return { notAsked: `${datasource} could not be loaded`, problems: spelling };
    if (isBuiltHere && source.view(pin.name, pin.tool, source.archs).report.versions.length === 0)
      return { datasource, problems: spelling };
    const isReadable = !spelling.some(({ rule }) => rule === 'invalid-version' || rule === 'tag-form');
    if (!isReadable) {
      const floating = { ...pin, operator: '', version: '' };
      const { problems } = judge(
        floating,
        source,
        this.#archsOf(source, archs),
        this.#judgeOptions(datasource, tagged),
      );
      const unknown = problems.filter(({ rule }) => rule === 'unknown-name');
      return { datasource, problems: [...spelling, ...unknown] };
    }
    const judged = judge(pin, source, this.#archsOf(source, archs), this.#judgeOptions(datasource, tagged));
    return { ...judged, problems: [...spelling, ...judged.problems] };
  }

  /** Pins of a stage or list share one object of parameters, except pins with tags or options. */
  #routed({ context }: AskedPin): Routed {
    let known = this.#contexts.get(context);
    if (!known) {
      const parsed = parsePinContext(context);
      const lines = parsed.kind === 'definition' && parsed.tag !== undefined ? parsed.repositories : [];
      const tagged = lines.filter((line) => line.tag !== undefined && line.tag === context['tag']);
      known = {
        route: this.#route(parsed),
        archs: parsed.kind === 'definition' ? parsed.archs : [],
        tagged: new Set(tagged.map(({ address }) => repositoryId(address).id)),
      };
      this.#contexts.set(context, known);
    }
    return known;
  }

  /** The file's archs that the datasource has; all of the datasource's archs if the file lists none. */
  #archsOf(source: Source, listed: readonly string[]): readonly string[] {
    const known = source.archs.filter((arch) => listed.includes(arch));
    return known.length > 0 ? known : source.archs;
  }

  #judgeOptions(own: string, tagged: Routed['tagged']): JudgeOptions {
    const { now, policy, sources } = this.#options;
    return {
      now,
      policy,
      elsewhere: (pin) => sources.find((each) => each.name !== own && isIn(each, pin))?.name,
      isTagged: (repository) => heldRepositories(repository).some(({ id }) => tagged.has(id)),
    };
  }

  #judgeTogether(
    members: readonly number[],
    pins: readonly AskedPin[],
    judgments: readonly Judgment[],
  ): void {
    const exact = new Map<string, AskedPin>();
    for (const i of members) {
      const pin = pins[i] as AskedPin;
      if (pin.isLocked || pin.tool !== 'apko' || !/^=$/.test(pin.operator)) continue;
      const other = exact.get(pin.name);
      if (!other) exact.set(pin.name, pin);
      else if (other.version !== pin.version)
        add(judgments[i], {
          rule: 'contradicting-pins',
          message: `${other.text} is pinned as well, and one image holds one version`,
        });
    }
    for (const i of members) {
      const pin = pins[i] as AskedPin;
      const own = judgments[i];
      if (!own || pin.isLocked || pin.isRuntime || !/^=+$/.test(pin.operator)) continue;
      const floating = this.#floating(pin, own, exact);
      if (floating) add(own, floating);
    }
  }

  /** The problem of an exact pin whose dependencies are not pinned. */
  #floating(
    pin: AskedPin,
    { datasource, problems }: Judgment,
    exact: ReadonlyMap<string, AskedPin>,
  ): Problem | undefined {
    const source = datasource === undefined ? undefined : this.#sources.get(datasource);
    const meets = meetsOf(pin);
    const isBroken = problems.some(({ rule }) => rule !== 'behind' && rule !== 'double-equals');
    if (!source || !meets || isBroken) return undefined;
    const [chosen] =
      source
        .view(pin.name, pin.tool, source.archs)
        .report.versions.findLast(({ version, chosenOn }) => meets(version) && chosenOn.length > 0)
        ?.chosenOn ?? [];
    const needs = [...(chosen?.package.dependencies ?? [])].filter(({ conflict }) => !conflict);
    const loose = needs.filter(({ name, operator }) => !/^=+$/.test(operator) && !exact.has(name));
    if (loose.length === 0) return undefined;
    const some = loose
      .slice(0, 3)
      .map(({ name }) => name)
      .join(', ');
    const more = loose.length > 3 ? ` and ${loose.length - 3} more` : '';
    return {
      rule: 'floating-dependencies',
      message: `${pin.name} is pinned, ${some}${more} that it needs are not`,
    };
  }
}

function isIn(source: Source, pin: AskedPin): boolean {
  const parsed = parseVersion(pin.version);
  if (!parsed) return false;
  const { report } = source.view(pin.name, pin.tool, source.archs);
  return report.versions.some(({ version }) => version === pin.version);
}

function add(judgment: Judgment | undefined, problem: Problem): void {
  if (judgment) (judgment.problems as Problem[]).push(problem);
}
