export {
  memoryBroker,
  type MemoryBroker,
  memoryDriver,
  type MemoryDriverOptions,
} from './memory-driver.ts'
