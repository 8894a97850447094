/** `npm run build:companion [-- FOLDER]`: `apk-beacon-images` as one file, in `dist/` unless told otherwise. */
import { join } from 'node:path';
import { build } from 'esbuild';

const [outdir = 'dist'] = process.argv.slice(2);

await build({
  entryPoints: ['companion/main.ts'],
  outfile: join(outdir, 'apk-beacon-images.mjs'),
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  legalComments: 'linked',
  // Some dependencies are CommonJS and load parts of Node with require().
  banner: {
    js: '#!/usr/bin/env node\nimport{createRequire}from"node:module";const require=createRequire(import.meta.url);',
  },
  logLevel: 'warning',
});
