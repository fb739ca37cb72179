import { type Driver, TopicSet } from '@asbru/core'

/**
 * A driver as it is to be used: one with positions hands over its whole logs, of which only what was subscribed to
 * is passed on here.
 */
export function wantedOnly(driver: Driver): Driver {
  if (!driver.capabilities.positions) return driver
  const topics = new TopicSet()
  return {
    name: driver.name,
    capabilities: driver.capabilities,
    open(receiver, options) {
      const wanted = {
        message: (message) => {
          if (topics.delivers(message.topic)) receiver.message(message)
        },
        status: (status) => receiver.status(status),
      } satisfies typeof receiver
      return driver.open(wanted, options)
    },
    async subscribe(topic) {
      await driver.subscribe(topic)
      topics.add(topic)
    },
    async unsubscribe(topic) {
      await driver.unsubscribe(topic)
      topics.delete(topic)
    },
    publish: (message) => driver.publish(message),
    ...(driver.catchUp && { catchUp: () => driver.catchUp!() }),
    close: () => driver.close(),
  }
}
