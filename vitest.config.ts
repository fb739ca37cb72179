import { defaultServerConditions } from 'vite'
import { configDefaults, defineConfig } from 'vitest/config'

// Workspace packages resolve to their TypeScript source, so tests need no build.
const conditions = ['@asbru/source', ...defaultServerConditions]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [
      'packages/*/test/**/*.test.ts',
      'examples/test/**/*.test.ts',
      'scripts/test/**/*.test.{ts,mjs}',
      'bench/test/**/*.test.ts',
      // Real brokers take minutes to install: only where they are asked for.
      ...(process.env['ASBRU_TEST_BROKERS'] ? ['brokers/test/**/*.test.ts'] : []),
    ],
    exclude: [
      ...configDefaults.exclude,
      ...(process.env['ASBRU_TEST_BROKERS'] ? [] : ['**/*.broker.test.ts']),
    ],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
