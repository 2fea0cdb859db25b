import { defineConfig } from 'vitest/config';

// Workspace sources are tested, not their builds: the export condition leads there. Vitest hands these to
// Node as well, where `import` would send a `require` to the wrong file.
const conditions = ['@clawbernetes/source', 'node'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['{packages,apps}/*/test/**/*.test.ts', '{test,tools}/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    // Real processes on a busy machine: a limit against hanging, not a measurement.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
