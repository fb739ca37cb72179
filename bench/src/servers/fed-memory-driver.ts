import type { Driver } from '@asbru/core'
import { memoryBroker, memoryDriver as driverOn } from '@asbru/driver-memory'

/** The broker of all memory drivers of this process. */
export const broker = memoryBroker()

/** Stands in for `@asbru/driver-memory` where the server package makes its driver. */
export function memoryDriver(): Driver {
  return driverOn({ broker })
}
