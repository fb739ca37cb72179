export type { KafkaSource } from './clients.ts'
export { kafkaDriver, type KafkaDriverOptions } from './kafka-driver.ts'
