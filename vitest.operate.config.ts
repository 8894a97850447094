/** `npm run test:operate`: what is deployed, checked with the tools that deploy it. `.ci/operate` installs them. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/operate/**/*.e2e.ts'],
    testTimeout: 120_000,
    hookTimeout: 240_000,
    // The tools take both processors by themselves.
    fileParallelism: false,
  },
});
