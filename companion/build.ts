/** `npm run build:companion [-- FOLDER]`: `apk-beacon-images` as one file, in FOLDER or `dist/`. */
import { join } from 'node:path';
import { build } from 'esbuild';

import { shared } from '../scripts/build.ts';

const [outdir = 'dist'] = process.argv.slice(2);

await build({
  ...shared,
  entryPoints: ['companion/main.ts'],
  outfile: join(outdir, 'apk-beacon-images.mjs'),
  banner: { js: `#!/usr/bin/env node\n${shared.banner.js}` },
});
