import { Streamer } from '@asbru/core'
import { memoryDriver } from '@asbru/driver-memory'
import { events } from '@asbru/hono'
import { type Context, Hono } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { randomUUID } from 'node:crypto'
import { page } from './page.ts'

/** Who may log in. A real application asks its own users table. */
const passwords = new Map([
  ['ada', 'difference'],
  ['grace', 'nanosecond'],
])

/** Session id to user. A real application has its own sessions. */
const sessions = new Map<string, string>()

export const streamer = new Streamer({ driver: memoryDriver(), defaultTopics: ['news'] })

export const app = new Hono<{ Variables: { user: string } }>()

app.get('/', (c) => c.html(page))

// The login makes the client. Its id is a secret that only this user gets.
app.post('/login', async (c) => {
  const user = await logIn(c)
  if (user === undefined) return c.json({ error: 'wrong user or password' }, 401)
  const client = await streamer.newClient({ topics: [`orders.${user}`], metadata: { user } })
  return c.json({ events: `/events?id=${client.id}` })
})

app.all('/events', events(streamer))

// The same with the id in a cookie that scripts cannot read: the page knows no id at all.
app.post('/cookie/login', async (c) => {
  const user = await logIn(c)
  if (user === undefined) return c.json({ error: 'wrong user or password' }, 401)
  const client = await streamer.newClient({ topics: [`orders.${user}`], metadata: { user } })
  setCookie(c, 'client', client.id, { httpOnly: true, sameSite: 'Strict', path: '/cookie' })
  return c.json({ events: '/cookie/events' })
})

app.all('/cookie/events', events(streamer, { clientId: (c) => getCookie(c, 'client') }))

app.use('/orders', async (c, next) => {
  const user = sessions.get(getCookie(c, 'session') ?? '')
  if (user === undefined) return c.json({ error: 'log in first' }, 401)
  c.set('user', user)
  return next()
})

app.post('/orders', async (c) => {
  const order = { item: (await c.req.text()).slice(0, 100), status: 'paid' }
  await streamer.publish(`orders.${c.get('user')}`, order)
  return c.json(order, 202)
})

app.post('/logout', async (c) => {
  const session = getCookie(c, 'session') ?? ''
  const user = sessions.get(session)
  sessions.delete(session)
  deleteCookie(c, 'session')
  if (user !== undefined) await closeStreamsOf(user)
  return c.body(null, 204)
})

async function logIn(c: Context): Promise<string | undefined> {
  const { user, password } = await c.req.json<{ user?: string; password?: string }>()
  if (user === undefined || passwords.get(user) !== password) return undefined
  const session = randomUUID()
  sessions.set(session, user)
  setCookie(c, 'session', session, { httpOnly: true, sameSite: 'Strict' })
  return user
}

async function closeStreamsOf(user: string): Promise<void> {
  const { items } = await streamer.clients({ topic: `orders.${user}`, limit: 1_000 })
  for (const client of items) await client.close()
}
