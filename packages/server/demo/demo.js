/** The demo page: one client, one EventSource, and the HTTP API of the same server. */

const MAX_ROWS = 200
const PROBLEM_MS = 6_000

const element = (id) => document.getElementById(id)

let clientId
let source
/** When the connection was lost, while it is. */
let lostAt
/** The connection that stands, if it took the place of a lost one: when it opened, what it replayed. */
let resumed
let total = 0
/** Names that the EventSource listens to: it passes over all others. */
const names = new Set()
const hues = new Map()

await start()
element('shell').textContent =
  `curl -d 'Hello from a shell' \\\n${location.origin}/v1/topics/news/messages`

async function start() {
  show('connecting')
  const client = await ask('POST', '/v1/clients', { topics: ['news', 'ticker'] })
  if (client === undefined) return
  clientId = client.id
  names.clear()
  source = new EventSource(`/events?id=${encodeURIComponent(clientId)}`)
  source.addEventListener('open', opened)
  source.addEventListener('error', lost)
  source.addEventListener('message', informed)
}

function opened() {
  const now = Date.now()
  resumed = lostAt === undefined ? undefined : { openedAt: now, awayMs: now - lostAt, replayed: 0 }
  lostAt = undefined
  show('connected')
  showOutage()
}

function lost() {
  lostAt ??= Date.now()
  resumed = undefined
  if (source.readyState === EventSource.CLOSED) {
    // The server knows the client no more: it expired, or the server is another one.
    lostAt = undefined
    void start()
  } else {
    show('reconnecting')
    showOutage()
  }
}

/** Info messages come without a name, each with one key; the first has two. */
function informed({ data }) {
  const info = JSON.parse(data)
  if (info.subscriptions !== undefined) showSubscriptions(info.subscriptions)
  if (info.gap !== undefined) complain(`Events may be missing: ${info.gap.reason}.`)
  if (info.error !== undefined) complain(info.error.message)
}

function received({ type, data }) {
  const { text, at } = contentOf(data)
  // Published before this connection opened: it can only have come from the window.
  const replayed = resumed !== undefined && at < resumed.openedAt
  if (replayed) {
    resumed.replayed++
    showOutage()
  }
  element('total').textContent = String(++total)
  element('empty').hidden = true
  const row = element('event-row').content.firstElementChild.cloneNode(true)
  row.querySelector('time').textContent = new Date(at ?? Date.now()).toLocaleTimeString('en-GB')
  row.querySelector('.topic').textContent = type
  row.querySelector('.topic').style.setProperty('--hue', String(hueOf(type)))
  row.querySelector('.data').textContent = text
  row.classList.toggle('replayed', replayed)
  const list = element('events')
  list.prepend(row)
  while (list.children.length > MAX_ROWS) list.lastElementChild.remove()
}

/** What this page and the ticker publish says when it was published; other publishers need not. */
function contentOf(data) {
  try {
    const { text, at } = JSON.parse(data)
    if (typeof text === 'string' && typeof at === 'number') return { text, at }
  } catch {
    // Any text may be published.
  }
  return { text: data, at: undefined }
}

function show(state) {
  element('state').dataset.state = state
  element('state-text').textContent = state
  element('cut').disabled = state !== 'connected'
}

function showOutage() {
  const outage = element('outage')
  if (lostAt !== undefined) {
    outage.dataset.phase = 'away'
    outage.textContent = 'The connection is cut. Publish something now: it will not be lost.'
  } else if (resumed !== undefined) {
    const { awayMs, replayed } = resumed
    outage.dataset.phase = 'resumed'
    const count = document.createElement('b')
    count.id = 'replayed'
    count.textContent = String(replayed)
    const after = ` ${replayed === 1 ? 'event was' : 'events were'} replayed.`
    outage.replaceChildren(`Back after ${(awayMs / 1000).toFixed(1)} s: `, count, after)
  }
}

function showSubscriptions(topics) {
  for (const topic of topics) {
    if (names.has(topic)) continue
    names.add(topic)
    source.addEventListener(topic, received)
  }
  const chips = topics.map((topic) => {
    const chip = element('subscription-chip').content.firstElementChild.cloneNode(true)
    chip.querySelector('span').textContent = topic
    chip.style.setProperty('--hue', String(hueOf(topic)))
    const button = chip.querySelector('button')
    button.setAttribute('aria-label', `Unsubscribe from ${topic}`)
    button.addEventListener('click', () => ask('DELETE', subscriptionPath(topic)))
    return chip
  })
  element('subscriptions').replaceChildren(...chips)
}

element('publish').addEventListener('submit', (event) => {
  event.preventDefault()
  const { topic, text } = Object.fromEntries(new FormData(event.target))
  const path = `/v1/topics/${encodeURIComponent(topic)}/messages`
  void ask('POST', path, { text, at: Date.now() })
})

element('subscribe').addEventListener('submit', (event) => {
  event.preventDefault()
  void subscribe(event.target)
})

element('cut').addEventListener('click', () => {
  void ask('POST', `/demo/clients/${encodeURIComponent(clientId)}/cut`)
})

async function subscribe(form) {
  const answer = await ask('PUT', subscriptionPath(new FormData(form).get('topic')))
  if (answer !== undefined) form.reset()
}

function subscriptionPath(topic) {
  return `/v1/clients/${encodeURIComponent(clientId)}/subscriptions/${encodeURIComponent(topic)}`
}

/** Resolves with the answer's JSON (`null` if it is empty), or with nothing once the problem was shown. */
async function ask(method, path, body) {
  try {
    const response = await fetch(path, {
      method,
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    })
    const text = await response.text()
    const answer = text === '' ? null : JSON.parse(text)
    if (response.ok) return answer
    complain(answer?.detail ?? `The server answered ${response.status}.`)
  } catch {
    complain('The server does not answer.')
  }
  return undefined
}

let forgetProblem
function complain(text) {
  const problem = element('problem')
  problem.textContent = text
  problem.hidden = false
  clearTimeout(forgetProblem)
  forgetProblem = setTimeout(() => (problem.hidden = true), PROBLEM_MS)
}

/** The same colour for a topic wherever it is shown; the golden angle keeps those of neighbours apart. */
function hueOf(topic) {
  if (!hues.has(topic)) hues.set(topic, (250 + hues.size * 137.5) % 360)
  return hues.get(topic)
}
