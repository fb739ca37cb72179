/** Options with which nothing can start: the command says why and ends with exit code 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}
