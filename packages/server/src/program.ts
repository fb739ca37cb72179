import { Command, Option } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import { printConfig } from './commands/config.ts'
import { demo } from './commands/demo.ts'
import { listen, type ListenCommandOptions } from './commands/listen.ts'
import { publish, type PublishCommandOptions } from './commands/publish.ts'
import { serve } from './commands/serve.ts'
import { printStatus } from './commands/status.ts'
import type { ApiClientOptions } from './api-client.ts'
import { type ConfigKey, configKeys, flagOf } from './config/keys.ts'
import { loadConfig, type LoadedConfig } from './config/load-config.ts'

/** The command line of `asbru`: its commands and their flags. Those of `serve` are the configuration's keys. */
export function program(): Command {
  const asbru = new Command('asbru')
    .description('Relays messages from a broker to browsers, as Server-Sent Events.')
    .version(packageJson.version)
    // Faults are thrown, and get their exit code in one place.
    .exitOverride()
    .helpCommand(false)

  withConfigFlags(asbru.command('serve').description('relay until SIGTERM or SIGINT')).action(
    (flags: Flags) => serve(configOf(flags)),
  )
  asbru
    .command('demo')
    .description('serve a page to try it in a browser, on the memory driver')
    .option('--port <number>', 'first port to try; 0 takes a free one', '8080')
    .action(({ port }: { port: string }) => demo(port))
  withApiFlags(asbru.command('publish').description('publish a message'))
    .argument('<topic>')
    .argument('[data]', 'the payload; - reads it from stdin', '-')
    .option('--event <name>', 'name of the event')
    .option('--id <id>', 'id of the message')
    .action((topic: string, data: string, options: PublishCommandOptions) =>
      publish(topic, data, options),
    )
  withApiFlags(asbru.command('listen').description('print events, one JSON line each'))
    .argument('<topics...>', 'topics and patterns')
    .option('--events <url>', 'the event stream', 'http://127.0.0.1:8080/events')
    .action((topics: string[], options: ListenCommandOptions) => listen(topics, options))
  withApiFlags(asbru.command('status').description('print how a relay is doing')).action(
    (options: ApiClientOptions) => printStatus(options),
  )
  withConfigFlags(
    asbru.command('config').description('print the configuration in effect, secrets masked'),
  ).action((flags: Flags) => printConfig(configOf(flags)))
  return asbru
}

type Flags = Record<string, string | string[] | true>

function withConfigFlags(command: Command): Command {
  command.option('--config <file>', 'YAML file to read (ASBRU_CONFIG)')
  for (const key of configKeys) command.addOption(flagFor(key))
  command.option('--url <url>', 'short for --driver.url')
  return command.addHelpText(
    'after',
    '\nEvery flag is also a variable, --internal-port ASBRU_INTERNAL_PORT and --cors.origins ' +
      'ASBRU_CORS__ORIGINS,\nand a key in the YAML file, internalPort and cors.origins. ' +
      'Flags go before variables, and those before the file.',
  )
}

function flagFor({ path, type, choices, description, defaultText }: ConfigKey): Option {
  const value = choices.length > 0 ? choices.join('|') : type
  const holder = type === 'boolean' ? '[true|false]' : `<${value}${type === 'list' ? ',…' : ''}>`
  const text = defaultText === undefined ? description : `${description} (default: ${defaultText})`
  const option = new Option(`${flagOf(path)} ${holder}`, text.trim())
  if (type !== 'list') return option
  return option.argParser((item, before: string[] | undefined) => [...(before ?? []), item])
}

function configOf({ config: file, url, ...flags }: Flags): LoadedConfig {
  return loadConfig({
    flags: new Map(Object.entries({ ...(url !== undefined && { 'driver.url': url }), ...flags })),
    env: process.env,
    file: file as string | undefined,
  })
}

function withApiFlags(command: Command): Command {
  return command
    .option('--api <url>', 'the HTTP API', 'http://127.0.0.1:7070/v1')
    .addOption(
      new Option('--token <token>', 'the bearer token that it asks for').env('ASBRU_API_TOKEN'),
    )
}
