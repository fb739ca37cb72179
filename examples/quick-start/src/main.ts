import { Streamer } from '@asbru/core'
import { memoryDriver } from '@asbru/driver-memory'
import { events } from '@asbru/hono'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'

const streamer = new Streamer({ driver: memoryDriver() })
const app = new Hono()

// Your login makes a client. Its id is a secret: only this browser gets it.
app.post('/login', async (c) => {
  const client = await streamer.newClient({ topics: ['news'] })
  return c.json({ events: `/events?id=${client.id}` })
})

// EventSource('/events?id=…') reads the client's stream, and resumes it by itself.
app.all('/events', events(streamer))

// Anything may publish: this route, a job, later any program with a client of your broker.
app.post('/news', async (c) => c.json(await streamer.publish('news', await c.req.json()), 202))

const page = `<h1>News</h1><ul></ul><script type="module">
  const { events } = await (await fetch('/login', { method: 'POST' })).json()
  new EventSource(events).addEventListener('news', ({ data }) => {
    document.querySelector('ul').insertAdjacentText('beforeend', JSON.parse(data).title + ' ')
  })
</script>`
app.get('/', (c) => c.html(page))

const port = Number(process.env['PORT'] ?? 3000)
serve({ fetch: app.fetch, port }, (at) => console.log(`http://127.0.0.1:${at.port}/`))
