import { defineConfig } from 'vitest/config';

const integration = {
  testTimeout: 180_000,
  hookTimeout: 600_000,
  // Sandboxes are measured and limited: one file at a time keeps them from slowing each other.
  fileParallelism: false,
};

// Long, or upset by what else uses the machine's disk and cores at the time: only `npm run test:full` runs these.
const heavy = ['tests/security/disk.test.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['sandbox-server/**/*.test.ts', 'src/**/*.test.ts', 'tests/{helpers,bench}/**/*.test.ts'],
          environment: 'node',
        },
      },
      {
        test: {
          name: 'integration',
          include: ['tests/contract/**/*.test.ts', 'tests/integration/**/*.test.ts'],
          exclude: heavy,
          ...integration,
        },
      },
      { test: { name: 'security', include: ['tests/security/**/*.test.ts'], exclude: heavy, ...integration } },
      {
        test: { name: 'labs', include: ['tests/labs/**/*.test.ts', ...heavy], ...integration, testTimeout: 1_200_000 },
      },
    ],
  },
});
