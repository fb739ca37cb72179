/** Which streams carry the messages, and how long they get. */
export interface StreamsOptions {
  /**
   * Key of the stream.
   *
   * @default 'asbru'
   */
  key?: string
  /**
   * Keys of several streams instead: a topic is published to that at the CRC-32 of its UTF-8, modulo their
   * number. All of them are read, whoever wrote to which.
   */
  keys?: readonly string[]
  /**
   * About how many messages a stream keeps; what is older is taken away every few seconds.
   *
   * @default 100_000
   */
  maxLength?: number
  /** Keeps by age in milliseconds, before the newest message, instead of by number. */
  maxAgeMs?: number
}
