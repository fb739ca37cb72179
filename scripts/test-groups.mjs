/** The groups of tests that need real programs beside Node.js, which `ASBRU_TEST_BROKERS` chooses from. */

/**
 * By the name of the driver that they are for: `packages/driver-NAME/**\/*.broker.test.ts`, and
 * `NAME.broker.test.ts` elsewhere. A driver whose tests need something else than a broker has its name here too.
 *
 * @type {readonly string[]}
 */
export const testGroups = ['nats', 'redis', 'rabbitmq', 'kafka', 'gcp-pubsub', 'kubernetes']

/**
 * What is chosen by `nats,redis`, `all` or `none`; nothing chosen is all. A name that is none throws, so that a
 * typing error does not skip anything.
 *
 * @param {string | undefined} text
 * @returns {readonly string[]}
 */
export function chosenGroups(text) {
  const names = (text ?? '').split(',').flatMap((name) => name.trim() || [])
  if (names.length === 0 || names.includes('all')) return testGroups
  if (names.length === 1 && names[0] === 'none') return []
  const unknown = names.find((name) => !testGroups.includes(name))
  if (unknown !== undefined)
    throw new Error(`ASBRU_TEST_BROKERS: '${unknown}' is none of ${testGroups.join(', ')}`)
  return testGroups.filter((name) => names.includes(name))
}

/**
 * What to say of the choice, so that nobody takes a narrow run for a whole one.
 *
 * @param {readonly string[]} chosen
 * @returns {string}
 */
export function choiceLine(chosen) {
  const left = testGroups.filter((name) => !chosen.includes(name))
  const tested = `Tested against real brokers: ${chosen.join(', ') || 'none'}.`
  return left.length === 0 ? tested : `${tested} Left out on purpose: ${left.join(', ')}.`
}

/**
 * What to say of clusters of relays, which are tested when `ASBRU_CLUSTER_TESTS` is set.
 *
 * @param {string | undefined} length
 * @returns {string}
 */
export function clusterLine(length) {
  return length === undefined || length === ''
    ? 'Clusters of relays were not tested: ASBRU_CLUSTER_TESTS=short or =full does.'
    : `Clusters of relays were tested: ${length}.`
}
