/** `pnpm brokers COMMAND [NAME…]`: brokers for development, from wherever this machine has them. */
import { brokerNames, type BrokerName } from './broker.ts'
import { dockerAnswers, dockerDown, dockerLogs, dockerStatus, dockerUp } from './docker-brokers.ts'
import { environmentBroker, urlVariables } from './environment-brokers.ts'
import { nativeDown, nativeLogs, nativeStatus, nativeUp } from './native-brokers.ts'
import type { Report } from './report.ts'
import { say } from './say.ts'

const usage = `usage: pnpm brokers up|down|status|logs [${brokerNames.join('|')}]…

  up      start the brokers, or find them, and print one line of JSON each
  down    end those that up has started
  status  print one line of JSON each
  logs    print what they wrote

All brokers, if none is named. A broker is the one that the environment names
(${Object.values(urlVariables).join(', ')}),
else Docker's, if an engine answers, else a native process of this machine.
`

type Command = 'up' | 'down' | 'status' | 'logs'

async function act(command: Command, broker: BrokerName): Promise<Report | string> {
  const named = await environmentBroker(broker)
  if (named !== undefined) return actOnNamed(command, named)
  if (nativeStatus(broker).state === 'up' || !(await docker())) {
    if (command === 'logs') return nativeLogs(broker)
    if (command === 'status') return nativeStatus(broker)
    return command === 'up' ? nativeUp(broker) : nativeDown(broker)
  }
  if (command === 'logs') return dockerLogs(broker)
  if (command === 'status') return dockerStatus(broker)
  return command === 'up' ? dockerUp(broker) : dockerDown(broker)
}

function actOnNamed(command: Command, named: Report): Report | string {
  const variable = urlVariables[named.broker]
  if (command === 'logs') throw new Error(`${variable} names it; its logs are elsewhere`)
  if (command === 'up' && named.state === 'down') {
    throw new Error(`nobody listens at ${named.url}, which ${variable} names`)
  }
  if (command === 'down') say(`${named.broker} is left as it is: ${variable} names it`)
  return named
}

let dockerAnswer: Promise<boolean> | undefined

function docker(): Promise<boolean> {
  return (dockerAnswer ??= dockerAnswers())
}

const [command, ...names] = process.argv.slice(2)
const unknown = names.filter((name) => !(brokerNames as readonly string[]).includes(name))
if (!['up', 'down', 'status', 'logs'].includes(command ?? '') || unknown.length > 0) {
  process.stderr.write(usage)
  process.exit(2)
}
for (const broker of names.length > 0 ? (names as BrokerName[]) : brokerNames) {
  try {
    const result = await act(command as Command, broker)
    process.stdout.write(typeof result === 'string' ? result : `${JSON.stringify(result)}\n`)
  } catch (error) {
    say(`${broker}: ${(error as Error).message}`)
    process.exitCode = 1
  }
}
