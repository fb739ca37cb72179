export const page = `<!doctype html>
<meta charset="utf-8">
<title>Asbru with a login</title>
<form id="login">
  <input name="user" value="ada"> <input name="password" type="password" value="difference">
  <button>Log in</button>
</form>
<form id="order" hidden><input name="item" value="A book"> <button>Order</button></form>
<ul id="log"></ul>
<script type="module">
  const log = (text) => document.querySelector('#log').append(Object.assign(document.createElement('li'), { textContent: text }))
  document.querySelector('#login').onsubmit = async (event) => {
    event.preventDefault()
    const { user, password } = Object.fromEntries(new FormData(event.target))
    const answer = await fetch('/login', { method: 'POST', body: JSON.stringify({ user, password }) })
    if (!answer.ok) return log('No: ' + (await answer.json()).error)
    const source = new EventSource((await answer.json()).events)
    source.onmessage = (message) => log(message.data)
    source.addEventListener('orders.' + user, (message) => log('order: ' + message.data))
    document.querySelector('#order').hidden = false
  }
  document.querySelector('#order').onsubmit = async (event) => {
    event.preventDefault()
    await fetch('/orders', { method: 'POST', body: new FormData(event.target).get('item') })
  }
</script>
`
