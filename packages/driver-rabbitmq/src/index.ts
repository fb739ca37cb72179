export { rabbitmqDriver, type RabbitmqDriverOptions } from './rabbitmq-driver.ts'
export type { QueueOptions } from './replica-queue.ts'
export type { RabbitmqConnection, RabbitmqSource } from './link.ts'
export type { StreamOptions } from './stream-queue.ts'
