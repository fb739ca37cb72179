import { Command, type Redis, ReplyError } from 'ioredis'

/** A command that changes what is subscribed on its connection. */
export type ChangeName =
  | 'subscribe'
  | 'unsubscribe'
  | 'psubscribe'
  | 'punsubscribe'
  | 'ssubscribe'
  | 'sunsubscribe'

/**
 * Changes what is subscribed. `answered` is called where the answer stands between the messages of the
 * connection: when the promise settles, some that came after it may have been delivered already.
 */
export function sendChange(
  redis: Redis,
  name: ChangeName,
  channel: string,
  answered: (error?: Error) => void = () => {},
): Promise<void> {
  const command = new Command(name, [channel])
  const { resolve, reject } = command
  let isAnswered = false
  command.resolve = (reply) => {
    if (isAnswered) return
    isAnswered = true
    answered()
    resolve(reply)
  }
  command.reject = (error) => {
    if (isAnswered) return
    isAnswered = true
    answered(error)
    reject(error)
    // Nobody knows now what is subscribed: on a new connection nothing is.
    if (!(error instanceof ReplyError) && redis.status === 'ready') redis.disconnect(true)
  }
  redis.sendCommand(command)
  return command.promise as Promise<void>
}
