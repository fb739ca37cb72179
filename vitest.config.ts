import { defaultServerConditions } from 'vite'
import { configDefaults, defineConfig } from 'vitest/config'
import { brokerNames } from './brokers/src/broker.ts'
import { chosenGroups, testGroups } from './scripts/test-groups.mjs'

// Workspace packages resolve to their TypeScript source, so tests need no build. What stands under `module`
// is for bundlers: Node.js cannot load it in some packages.
const conditions = [
  '@asbru/source',
  ...defaultServerConditions.filter((condition) => condition !== 'module'),
]

/** Tests against real brokers run by themselves, one file at a time, for the brokers that are named. */
const brokers = process.env['ASBRU_TEST_BROKERS']
const chosen = chosenGroups(brokers)
/** Relays in clusters are tested only when asked for: that takes long. */
const clusters = process.env['ASBRU_CLUSTER_TESTS']
const others = testGroups.filter((name) => !chosen.includes(name))
/** What is tested with any broker. */
const ofBrokers = ['brokers/test/!(kubernetes).test.ts', 'examples/test/compose.broker.test.ts']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: brokers
      ? [
          '**/*.broker.test.ts',
          'brokers/test/**/*.test.ts',
          ...(clusters ? ['**/*.cluster.test.ts'] : []),
        ]
      : [
          'packages/*/test/**/*.test.ts',
          'examples/test/**/*.test.ts',
          'scripts/test/**/*.test.{ts,mjs}',
          'bench/test/**/*.test.ts',
        ],
    exclude: [
      ...configDefaults.exclude,
      ...(brokers ? [] : ['**/*.broker.test.ts', '**/*.cluster.test.ts']),
      ...(brokerNames.every((name) => others.includes(name)) ? ofBrokers : []),
      ...others.flatMap((name) => [
        `packages/driver-${name}/**/*.broker.test.ts`,
        `**/${name}.{broker,cluster}.test.ts`,
        `brokers/test/${name}.test.ts`,
      ]),
    ],
    fileParallelism: !brokers,
    globalSetup: brokers ? ['brokers/src/provide-brokers.ts'] : [],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
