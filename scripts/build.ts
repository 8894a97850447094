/** `npm run build [-- FILE]`: the service and all it needs as one file, `dist/apk-beacon.mjs` unless told otherwise. */
import { build } from 'esbuild';

const [outfile = 'dist/apk-beacon.mjs'] = process.argv.slice(2);

await build({
  entryPoints: ['src/main.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  minifySyntax: true,
  minifyWhitespace: true,
  // Stack traces and error classes keep their names.
  keepNames: true,
  legalComments: 'linked',
  // Some dependencies are CommonJS and load parts of Node with require().
  banner: {
    js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);',
  },
  logLevel: 'warning',
});
