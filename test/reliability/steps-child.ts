/**
 * A service with instrumented code. Every function and loop of `src` gets a counter; steps have few items, and turns
 * one step. For each question it prints the place that ran most often without yielding.
 */
import { registerHooks } from 'node:module';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import {
  hostileNames,
  questionsFor,
  questionsForAll,
  type HostileQuestion,
} from '../support/hostile-names.ts';
import { indexBody, indexText } from '../support/signed-index.ts';

export interface Passes {
  readonly question: string;
  readonly status: number;
  readonly most: number;
  readonly place: string;
}

const ITEMS_A_STEP = 8;
/** What reads an index, in turns of its own, and lists of a package, which are no longer than a line may be. */
const reading = /\/src\/apk\//;
const places: string[] = [];
const counts = new Uint32Array(20_000);
/** The places that ran since the last look, which are few of all. */
const touched: number[] = [];
/** Names that no module of `src` uses for something else. */
const [COUNTS, TOUCH] = ['$passes', '$touch'];
Object.assign(globalThis, { [COUNTS]: counts, [TOUCH]: (place: number) => touched.push(place) });

registerHooks({
  load(url, context, nextLoad) {
    if (!url.includes('/src/') || reading.test(url)) return nextLoad(url, context);
    const text = readFileSync(fileURLToPath(url), 'utf8');
    const fileName = url.slice(url.indexOf('/src/') + 1);
    const { outputText } = ts.transpileModule(
      text.replace(/(ITEMS|NAMES)_A_STEP = \d+/, `$1_A_STEP = ${ITEMS_A_STEP}`),
      {
        fileName,
        compilerOptions: { target: ts.ScriptTarget.ES2024, module: ts.ModuleKind.ESNext },
        transformers: { before: [counted(fileName)] },
      },
    );
    return { format: 'module', source: outputText, shortCircuit: true };
  },
});

/** Puts a counter at the beginning of every function and loop. */
function counted(fileName: string): ts.TransformerFactory<ts.SourceFile> {
  return (context) => (file) => {
    const { factory } = context;
    const counter = (node: ts.Node): ts.Expression => {
      const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
      const place = places.push(`${fileName}:${line + 1}`) - 1;
      const count = factory.createElementAccessExpression(factory.createIdentifier(COUNTS), place);
      const touch = factory.createIdentifier(TOUCH);
      return factory.createLogicalOr(
        factory.createPostfixIncrement(count),
        factory.createCallExpression(touch, undefined, [factory.createNumericLiteral(place)]),
      );
    };
    const counting = (node: ts.Node, body: ts.Statement): ts.Block =>
      factory.createBlock([
        factory.createExpressionStatement(counter(node)),
        ...(ts.isBlock(body) ? body.statements : [body]),
      ]);
    const visit = (node: ts.Node): ts.Node => {
      const seen = ts.visitEachChild(node, visit, context);
      if (ts.isArrowFunction(seen)) {
        const body = ts.isBlock(seen.body)
          ? counting(node, seen.body)
          : factory.createParenthesizedExpression(
              factory.createComma(counter(node), factory.createParenthesizedExpression(seen.body)),
            );
        return factory.updateArrowFunction(
          seen, seen.modifiers, seen.typeParameters, seen.parameters, seen.type, seen.equalsGreaterThanToken, body,
        ); // prettier-ignore
      }
      if (ts.isFunctionDeclaration(seen) && seen.body)
        return factory.updateFunctionDeclaration(
          seen, seen.modifiers, seen.asteriskToken, seen.name, seen.typeParameters, seen.parameters, seen.type,
          counting(node, seen.body),
        ); // prettier-ignore
      if (ts.isMethodDeclaration(seen) && seen.body)
        return factory.updateMethodDeclaration(
          seen, seen.modifiers, seen.asteriskToken, seen.name, seen.questionToken, seen.typeParameters,
          seen.parameters, seen.type, counting(node, seen.body),
        ); // prettier-ignore
      if (ts.isForOfStatement(seen))
        return factory.updateForOfStatement(
          seen, seen.awaitModifier, seen.initializer, seen.expression, counting(node, seen.statement),
        ); // prettier-ignore
      if (ts.isForStatement(seen))
        return factory.updateForStatement(
          seen, seen.initializer, seen.condition, seen.incrementor, counting(node, seen.statement),
        ); // prettier-ignore
      if (ts.isWhileStatement(seen))
        return factory.updateWhileStatement(seen, seen.expression, counting(node, seen.statement));
      return seen;
    };
    return ts.visitNode(file, visit) as ts.SourceFile;
  };
}

const { startService } = await import('../support/service.ts');
const { startUpstream } = await import('../support/repository-server.ts');

await using upstream = await startUpstream();
for (const arch of ['x86_64', 'aarch64']) {
  const stanzas = hostileNames.flatMap((each) => each.stanzas(arch, 0.1));
  upstream.serve(arch, await indexBody(indexText(stanzas.map((stanza) => ({ ...stanza, A: arch })))));
}
const repository = { url: upstream.url, trust: 'none' };
await using service = await startService({
  config: { datasources: { hostile: { repositories: [repository], unknown: 'ask' } } },
});
await service.beacon.refreshOnce(new AbortController().signal);
if (!service.beacon.datasources.every(({ snapshot }) => snapshot)) throw new Error(service.logs.join(''));

// From now on a turn is over after one step.
let time = performance.now();
performance.now = () => (time += 1);

let most = 0;
let place = '';
let isCounting = true;
function look(): void {
  for (const i of touched) {
    if ((counts[i] as number) > most) [most, place] = [counts[i] as number, places[i] as string];
    counts[i] = 0;
  }
  touched.length = 0;
  if (isCounting) setImmediate(look);
}
look();

async function passes({ path, headers = {} }: HostileQuestion): Promise<Passes> {
  most = 0;
  const { statusCode: status } = await service.get(path, headers);
  return { question: `${path} ${JSON.stringify(headers)}`, status, most, place };
}

const questions = [...hostileNames.flatMap(({ name }) => questionsFor(name)), ...questionsForAll];
for (const question of questions) process.stdout.write(`${JSON.stringify(await passes(question))}\n`);
isCounting = false;
