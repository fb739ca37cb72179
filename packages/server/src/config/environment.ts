import { configKeys, variableOf } from './keys.ts'
import { type Layer, layerOfTexts } from './layers.ts'

/** Variables of ours that are no keys. */
const OTHERS = new Set(['ASBRU_CONFIG'])
/** https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables */
const SERVICE_NAME =
  /_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/
const SERVICE_URL = /^(tcp|udp|sctp):\/\//

/** Reads the variables that set keys. One that is empty counts as not set. */
export function environmentLayer(env: NodeJS.ProcessEnv): { layer: Layer; unknown: string[] } {
  const texts = new Map<string, string>()
  const unknown: string[] = []
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('ASBRU_') || OTHERS.has(name) || !text) continue
    if (isOfService(name, text)) continue
    const path = paths.get(name)
    if (path === undefined) unknown.push(name)
    else texts.set(path, text)
  }
  return { layer: layerOfTexts(texts, variableOf), unknown }
}

const paths: ReadonlyMap<string, string> = new Map(
  configKeys.map(({ path }) => [variableOf(path), path]),
)

/** Whether Kubernetes set the variable for a Service that is called `asbru`, or `asbru-` and more. */
function isOfService(name: string, text: string): boolean {
  return SERVICE_NAME.test(name) || (name.endsWith('_PORT') && SERVICE_URL.test(text))
}
