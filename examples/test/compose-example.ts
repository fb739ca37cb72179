import type { BrokerName } from '@asbru/brokers'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

/** A service of a compose file, as far as the examples use it. */
export interface Service {
  readonly image?: string
  readonly build?: string | { readonly context: string; readonly dockerfile?: string }
  readonly environment?: Readonly<Record<string, string>>
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: object
  readonly extends?: { readonly file: string; readonly service: string }
  readonly [key: string]: unknown
}

/** The folder with all examples. */
export const examples: string = fileURLToPath(new URL('..', import.meta.url))

/** Reads a YAML file of an example as it is written. */
export function composeFile(path: string): { services: Readonly<Record<string, Service>> } {
  return parse(readFileSync(join(examples, path), 'utf8'), { merge: true }) as {
    services: Record<string, Service>
  }
}

/** The services of the example for a broker, each with what it extends; paths are absolute. */
export function servicesOf(broker: BrokerName): Readonly<Record<string, Service>> {
  const file = `${broker}-compose/docker-compose.yml`
  return Object.fromEntries(
    Object.entries(composeFile(file).services).map(([name, service]) => {
      const { extends: base, ...own } = absolute(service, dirname(file))
      if (base === undefined) return [name, own]
      const path = join(dirname(file), base.file)
      const inherited = absolute(composeFile(path).services[base.service]!, dirname(path))
      const environment = { ...inherited.environment, ...own.environment }
      return [name, { ...inherited, ...own, environment }]
    }),
  )
}

/** What a program of the example needs in its environment to use a broker that runs elsewhere. */
export function environmentOf(
  { environment = {} }: Service,
  broker: { readonly name: BrokerName; readonly url: string },
): Record<string, string> {
  const address = new RegExp(`(^|[/@])${broker.name}:\\d+$`)
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => {
      return [name, address.test(value) ? broker.url : value]
    }),
  )
}

/** The lines of a README's shell blocks that begin with a word, continued lines in one. */
export function commandsOf(broker: BrokerName, word: string): string[] {
  const text = readFileSync(join(examples, `${broker}-compose/README.md`), 'utf8')
  return [...text.matchAll(/```sh\n([^]*?)```/g)]
    .flatMap(([, block]) => block!.replaceAll('\\\n', '').split('\n'))
    .filter((line) => line.startsWith(word))
}

/** Compose takes a path as one of the folder of the file in which it stands. */
function absolute(service: Service, dir: string): Service {
  const { build, volumes } = service
  const context = typeof build === 'string' ? build : build?.context
  return {
    ...service,
    ...(context === undefined
      ? {}
      : {
          build: {
            ...(typeof build === 'object' ? build : {}),
            context: existing(join(examples, dir, context)),
          },
        }),
    ...(volumes === undefined
      ? {}
      : { volumes: volumes.map((volume) => existing(join(examples, dir, volume))) }),
  }
}

function existing(path: string): string {
  const [file = ''] = path.split(':')
  if (!existsSync(file)) throw new Error(`${file} does not exist`)
  return path
}
