/**
 * melange recipes as a graph: which recipes of the repository must be built before which. Only names are read; melange
 * handles the rest.
 */
import { z } from 'zod';

import { operatorSpan } from '../src/apk/constraint.ts';
import { CompanionError } from './errors.ts';
import { optional, readYaml, text, wholeNumber } from './yaml.ts';

const names = optional(z.array(z.string()));
const dependencies = optional(z.looseObject({ runtime: names, provides: names }));
const environment = optional(z.looseObject({ contents: optional(z.looseObject({ packages: names })) }));
const step = z.looseObject({
  needs: optional(z.looseObject({ packages: names })),
  get pipeline() {
    return pipeline;
  },
});
const pipeline = optional(z.array(step));
const test = optional(z.looseObject({ environment, pipeline }));

// Not strict about style: melange checks its recipes itself.
const recipeSchema = z.looseObject({
  package: z.looseObject({
    name: z.string(),
    version: z.string(),
    epoch: optional(wholeNumber),
    'target-architecture': names,
    dependencies,
  }),
  environment,
  pipeline,
  test,
  vars: optional(z.record(z.string(), z.string())),
  'var-transforms': optional(
    z.array(z.looseObject({ from: z.string(), match: z.string(), replace: z.string(), to: z.string() })),
  ),
  data: optional(z.array(z.looseObject({ name: z.string(), items: z.record(z.string(), z.string()) }))),
  subpackages: optional(
    z.array(
      z.looseObject({
        name: z.string(),
        range: text,
        dependencies,
        pipeline,
        test,
      }),
    ),
  ),
});

interface Package {
  readonly name: string;
  readonly runtime: readonly string[];
  readonly provides: readonly string[];
}

export interface Recipe {
  /** The file's name without `.yaml`, which is also the folder with its sources. */
  readonly name: string;
  /** With the epoch, as apk writes it: `8.21.0-r0`. */
  readonly version: string;
  readonly archs: readonly string[];
  /** Packages needed to build and to test it; names without constraints. */
  readonly build: readonly string[];
  readonly test: readonly string[];
  readonly packages: readonly Package[];
}

const bothArchs = ['x86_64', 'aarch64'];

export function parseRecipe(text: string, name: string): Recipe {
  const recipe = readYaml(recipeSchema, text, `${name}.yaml`);
  const { name: first, version, epoch = 0, dependencies, 'target-architecture': archs = [] } = recipe.package;
  const fullVersion = `${version}-r${epoch}`;
  const variables = new Map([
    ['package.name', first],
    ['package.version', version],
    ['package.epoch', `${epoch}`],
    ['package.full-version', fullVersion],
    ...Object.entries(recipe.vars ?? {}).map(([key, value]): [string, string] => [`vars.${key}`, value]),
  ]);
  for (const transform of recipe['var-transforms'] ?? []) {
    const value = transformed(transform, variables);
    if (value !== undefined) variables.set(`vars.${transform.to}`, value);
  }
  const subpackages = (recipe.subpackages ?? []).flatMap((own) => {
    if (!own.range) return [{ ...own, scope: variables }];
    // One subpackage per item of the named list.
    const items = recipe.data?.find((list) => list.name === own.range)?.items ?? {};
    return Object.entries(items).map(([key, value]) => ({
      ...own,
      scope: new Map([...variables, ['range.key', key], ['range.value', substitute(value, variables)]]),
    }));
  });
  const all = [{ ...recipe, name: first, dependencies, scope: variables }, ...subpackages];
  return {
    name,
    version: fullVersion,
    archs: archsOf(
      archs.map((arch) => substitute(arch, variables)),
      name,
    ),
    build: [
      ...namesIn(recipe.environment?.contents?.packages, variables),
      ...all.flatMap(({ pipeline, scope }) => needed(pipeline, scope)),
    ],
    test: all.flatMap(({ test, scope }) => [
      ...namesIn(test?.environment?.contents?.packages, scope),
      ...needed(test?.pipeline, scope),
    ]),
    packages: all.map(({ name: text, dependencies: own, scope }) => ({
      name: substitute(text, scope),
      runtime: namesIn(own?.runtime, scope),
      provides: namesIn(own?.provides, scope),
    })),
  };
}

/** The packages that the steps of a pipeline need. */
function needed(steps: z.infer<typeof pipeline>, scope: Variables): readonly string[] {
  return (steps ?? []).flatMap((each) => [
    ...namesIn(each.needs?.packages, scope),
    ...needed(each.pipeline, scope),
  ]);
}

/** The names in a list of dependencies, without those that must not be installed (`!busybox`). */
function namesIn(list: readonly string[] | undefined, scope: Variables): readonly string[] {
  return (list ?? [])
    .filter((entry) => !entry.startsWith('!'))
    .map((entry) => nameOf(substitute(entry, scope)));
}

/** Names of archs that apko knows as well. melange skips a recipe for them on every arch, and succeeds. */
const misnamed = new Map([
  ['amd64', 'x86_64'],
  ['arm64', 'aarch64'],
]);

/** Beside others, melange ignores `all`. */
function archsOf(listed: readonly string[], name: string): readonly string[] {
  const archs = new Set(listed.filter((arch) => arch !== 'all'));
  for (const [wrong, right] of misnamed) {
    if (archs.has(wrong))
      throw new CompanionError(`${name}.yaml: melange builds nothing for ${wrong}; write ${right}`);
  }
  return archs.size === 0 ? bothArchs : [...archs];
}

type Variables = ReadonlyMap<string, string>;

function substitute(text: string, variables: Variables): string {
  return text.replace(/\$\{\{\s*([^}\s]+)\s*\}\}/g, (all, name: string) => variables.get(name) ?? all);
}

interface Transform {
  readonly from: string;
  readonly match: string;
  readonly replace: string;
}

/** A variable made of another as Go does it, or `undefined` if the expression is one that only Go understands. */
function transformed({ from, match, replace }: Transform, variables: Variables): string | undefined {
  const text = substitute(from, variables);
  const [, flags = '', expression = ''] = /^(?:\(\?([ims]+)\))?(.*)$/s.exec(match) ?? [];
  let result = '';
  let end = 0;
  try {
    for (const found of text.matchAll(new RegExp(expression.replaceAll('(?P<', '(?<'), `g${flags}`))) {
      // Behind another match, an empty one does not count.
      if (found[0] === '' && found.index === end && end > 0) continue;
      result += text.slice(end, found.index) + expand(replace, found);
      end = found.index + found[0].length;
    }
  } catch {
    return undefined;
  }
  return result + text.slice(end);
}

/** `$1`, `$name` and `${name}` in a replacement: a name is as long as possible, and an unknown one stands for nothing. */
const expand = (replacement: string, found: RegExpExecArray) =>
  replacement.replace(/\$(?:\$|\{(\w+)\}|(\w+))/g, (all, inBraces?: string, word?: string) => {
    const name = inBraces ?? word ?? '';
    return all === '$$' ? '$' : (found[Number(name)] ?? found.groups?.[name] ?? '');
  });

/** `linux-lts~6.18@local` → `linux-lts`. */
function nameOf(dependency: string): string {
  const name = dependency.slice(0, operatorSpan(dependency).start);
  return name.split('@', 1)[0] ?? name;
}

export interface Order {
  /** Recipes whose packages must exist before this one can be built. */
  readonly beforeBuild: readonly string[];
  /** Recipes whose packages must exist before it can be installed and tested, including itself. */
  readonly beforeTest: readonly string[];
  /**
   * Recipes in a cycle with it, as a compiler needs itself. None of them can come first, so each is built with the
   * published packages of the others.
   */
  readonly asPublished: readonly string[];
}

/**
 * By recipe name. Packages of a build environment bring their runtime dependencies, and what those were built with:
 * melange finds dependencies on libraries itself, so no recipe lists them.
 */
export function buildOrder(recipes: readonly Recipe[]): ReadonlyMap<string, Order> {
  // Several may provide a name, and which one is installed is the solver's choice.
  const providers = new Map<string, { readonly recipe: Recipe; readonly runtime: readonly string[] }[]>();
  for (const recipe of recipes) {
    for (const { name, runtime, provides } of recipe.packages) {
      for (const provided of [name, ...provides]) {
        providers.set(provided, [...(providers.get(provided) ?? []), { recipe, runtime }]);
      }
    }
  }

  /** Recipes reachable from these names. */
  const reach = (start: readonly string[]): ReadonlySet<string> => {
    const reached = new Set<string>();
    const seen = new Set<string>();
    const pending = [...start];
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (seen.has(name)) continue;
      seen.add(name);
      for (const { recipe, runtime } of providers.get(name) ?? []) {
        reached.add(recipe.name);
        pending.push(...runtime, ...recipe.build);
      }
    }
    return reached;
  };

  const needed = new Map(recipes.map(({ name, build }) => [name, reach(build)]));
  return new Map(
    recipes.map((recipe) => {
      const reached = [...(needed.get(recipe.name) ?? [])].sort();
      const needIt = (name: string) => needed.get(name)?.has(recipe.name) ?? false;
      const installed = recipe.packages.flatMap(({ name, runtime }) => [name, ...runtime]);
      return [
        recipe.name,
        {
          beforeBuild: reached.filter((name) => !needIt(name)),
          beforeTest: [...reach([...installed, ...recipe.test])].sort(),
          asPublished: reached.filter(needIt),
        },
      ];
    }),
  );
}

/**
 * Recipes in a possible build order: those of the named packages, or all, and those needed to build and install them.
 */
export function inBuildOrder(recipes: readonly Recipe[], names: readonly string[] = []): readonly string[] {
  const order = buildOrder(recipes);
  const sorted = new Set<string>();
  const visit = (name: string): void => {
    if (sorted.has(name)) return;
    for (const before of order.get(name)?.beforeBuild ?? []) visit(before);
    sorted.add(name);
  };
  for (const named of names.length > 0 ? names : order.keys()) {
    const recipe = recipes.find(
      ({ name, packages }) => name === named || packages.some((own) => own.name === named),
    );
    if (recipe === undefined) throw new CompanionError(`no recipe builds ${named}`);
    visit(recipe.name);
    for (const other of order.get(recipe.name)?.beforeTest ?? []) visit(other);
  }
  return [...sorted];
}
