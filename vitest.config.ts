import { defineConfig } from 'vitest/config';

const seconds = 1000;

/**
 * The suites. `npm test` runs `unit`, which needs nothing but Node; the others take minutes or need tools, and each
 * has a script under `.ci/` that installs them.
 */
export default defineConfig({
  test: {
    projects: [
      suite('unit', 'test/**/*.test.ts', { test: 30, hook: 60 }),
      suite('reliability', 'test/reliability/**/*.e2e.ts', { test: 600, hook: 60 }),
      suite('renovate', 'test/renovate/**/*.e2e.ts', { test: 120, hook: 120 }),
      suite('operate', 'test/operate/**/*.e2e.ts', { test: 120, hook: 240 }),
      suite('browser', 'test/browser/**/*.e2e.ts', { test: 120, hook: 60 }),
      suite('companion', 'test/companion/**/*.e2e.ts', { test: 120, hook: 300 }),
      // Ten minutes with everything that it does.
      suite('chain', 'test/chain/**/*.e2e.ts', { test: 300, hook: 300 }),
      // An emulator without hardware to help it: ten minutes, of which nothing is timed.
      suite('boot', 'test/boot/**/*.e2e.ts', { test: 3600, hook: 1800 }),
    ],
  },
});

function suite(name: string, files: string, timeouts: { test: number; hook: number }) {
  return {
    test: {
      name,
      include: [files],
      testTimeout: timeouts.test * seconds,
      hookTimeout: timeouts.hook * seconds,
    },
  };
}
