import { defineConfig } from 'vitest/config';

/** What takes minutes: `npm run test:reliability`. */
export default defineConfig({
  test: {
    include: ['test/reliability/**/*.e2e.ts'],
    testTimeout: 600_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
