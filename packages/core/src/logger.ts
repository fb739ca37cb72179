/** The part of a structured logger that Asbru calls; a pino instance is one. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Says nothing: the default of a library. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** A client id as it may appear in logs, problems and lists: it is a secret, so its beginning only. */
export function maskId(id: string): string {
  return id.slice(0, 8)
}
