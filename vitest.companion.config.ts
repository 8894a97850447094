import { defineConfig } from 'vitest/config';

/** The suite of real tools: apko, systemd, nft, … It needs root and takes minutes, so it is not part of `npm test`. */
export default defineConfig({
  test: {
    include: ['test/companion/**/*.e2e.ts'],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    // Two of the suites boot things and make network namespaces; on two cores more at once only lengthens each.
    maxWorkers: 2,
  },
});
