/**
 * `npm run build [-- FOLDER]`: bundles the service into a few files, by default in `dist/`. The bundle is split;
 * startup loads only what it needs.
 */
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild';

/**
 * Loads parts of Node with `require`. An import of `node:http` would touch each of its exports, and one of them loads
 * Node's whole copy of undici: a tenth of the startup time, for a copy that must not be used here.
 */
const nodeByRequire: Plugin = {
  name: 'node-by-require',
  setup(bundle) {
    bundle.onResolve({ filter: /^node:/ }, ({ kind, path }) =>
      kind === 'import-statement' ? { path, namespace: 'node' } : undefined,
    );
    bundle.onLoad({ filter: /.*/, namespace: 'node' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)})`,
    }));
  },
};

/**
 * About half of undici and of fastify never run here: `fetch` and what belongs to it, compilers of schemas, which no
 * route has, and injected requests. They are replaced, because parsing them would only delay the start.
 */
const replaced: Readonly<Record<string, string>> = {
  undici: `
    Object.assign(require('undici/lib/dispatcher/dispatcher').prototype, require('undici/lib/api'));
    module.exports = {
      Agent: require('undici/lib/dispatcher/agent'),
      Pool: require('undici/lib/dispatcher/pool'),
      ProxyAgent: require('undici/lib/dispatcher/proxy-agent'),
    };`,
  'undici/lib/web': leftOut('a body of form data'),
  // Upstreams are asked by HTTP/1.1, and so is the service.
  './client-h2.js': `module.exports = () => { ${leftOut('HTTP/2')} };`,
  'node:http2': 'module.exports = {};',
  // Only asked for examples of observations, which the metrics do not have.
  '@opentelemetry/api': 'module.exports = {};',
  '@fastify/ajv-compiler': `module.exports = () => () => { ${leftOut('a schema of a request')} };`,
  '@fastify/fast-json-stringify-compiler': `module.exports = () => () => { ${leftOut('a schema of a reply')} };`,
  'light-my-request': leftOut('an injected request'),
};

function leftOut(what: string): string {
  return `throw new Error('${what}: not in this bundle (scripts/build.ts)');`;
}

const onlyWhatRuns: Plugin = {
  name: 'only-what-runs',
  setup(bundle) {
    bundle.onResolve({ filter: new RegExp(`^(?:${Object.keys(replaced).join('|')})$`) }, ({ path }) => ({
      path,
      namespace: 'replaced',
    }));
    bundle.onResolve({ filter: /^\.\.\/web\// }, ({ importer }) =>
      importer.includes('/undici/lib/') ? { path: 'undici/lib/web', namespace: 'replaced' } : undefined,
    );
    bundle.onLoad({ filter: /.*/, namespace: 'replaced' }, ({ path }) => ({
      contents: replaced[path] as string,
      resolveDir: import.meta.dirname,
    }));
  },
};

/** The bundle needs only the version of package.json. */
const versionOnly: Plugin = {
  name: 'version-only',
  setup(bundle) {
    bundle.onLoad({ filter: /[/\\]package\.json$/ }, ({ path }) => {
      const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
      return { contents: JSON.stringify({ version }), loader: 'json' };
    });
  },
};

/** Of the service's bundle and of the companion's. */
export const shared = {
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'linked',
  // undici's own name for what is built without its experimental parser.
  define: { esbuildDetection: '"apk-beacon"' },
  plugins: [onlyWhatRuns, nodeByRequire, versionOnly],
  // Some dependencies are CommonJS and load parts of Node with require().
  banner: {
    js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);',
  },
  logLevel: 'warning',
} satisfies BuildOptions;

/** Writes the bundle to a folder. Returns its inputs. */
export async function bundle(outdir: string): Promise<Metafile> {
  for (const stale of globSync(join(outdir, 'part-*.mjs*'))) rmSync(stale);
  const { metafile } = await build({
    ...shared,
    // The reader of feeds and what starts it are processes of their own.
    entryPoints: {
      'apk-beacon': 'src/main.ts',
      'feed-starter': 'src/repository/feed-starter.ts',
      'feed-reader': 'src/repository/feed-reader.ts',
      check: 'src/library.ts',
    },
    outdir,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'part-[hash]',
    splitting: true,
    // Loaded by pg only on request.
    external: ['pg-native'],
    metafile: true,
  });
  const types = readFileSync('src/library-types.ts', 'utf8');
  const declared = 'export declare function check(options?: CheckOptions): Promise<CheckReport>;';
  writeFileSync(
    join(outdir, 'check.d.ts'),
    `${types}\n/** Rejects if an index or the service is unavailable. */\n${declared}\n`,
  );
  return metafile;
}

if (import.meta.main) await bundle(process.argv[2] ?? 'dist');
