import { defineConfig } from 'vitest/config';

const integration = {
  testTimeout: 180_000,
  hookTimeout: 600_000,
  // Sandboxes are measured and limited: one file at a time keeps them from slowing each other.
  fileParallelism: false,
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['sandbox-server/**/*.test.ts', 'src/**/*.test.ts', 'tests/helpers/**/*.test.ts'],
          environment: 'node',
        },
      },
      {
        test: {
          name: 'integration',
          include: ['tests/contract/**/*.test.ts', 'tests/integration/**/*.test.ts'],
          ...integration,
        },
      },
      { test: { name: 'security', include: ['tests/security/**/*.test.ts'], ...integration } },
      { test: { name: 'labs', include: ['tests/labs/**/*.test.ts'], ...integration, testTimeout: 1_200_000 } },
    ],
  },
});
