import { defineConfig } from 'vitest/config';

/** The suite that runs the real Renovate: `.ci/renovate` installs it and starts this. */
export default defineConfig({
  test: {
    include: ['test/renovate/**/*.e2e.ts'],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
  },
});
