/** A fault that was foreseen: the command prints its message, without a stack, and ends with exit code 1. */
export class Fault extends Error {
  override readonly name = 'Fault'
}
