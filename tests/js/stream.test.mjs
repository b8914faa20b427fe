// An answer cut at every chunk size reads the same; a lost connection is read on.

import assert from "node:assert/strict"
import { createServer } from "node:http"
import { afterEach, test } from "node:test"

import { Refused } from "../../static/js/page.js"
import { ask, follow, readEvents } from "../../static/js/stream.js"

const frame = (id, type, data) => `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`
const ANSWER = ": keep-alive\n\n"
  + frame(0, "turn", { conversation_id: "c", message_id: "m", agent: "coze" })
  + frame(1, "html", { from: 0, blocks: ["<p>你好，世界 🎉: a: b</p>\n"] })
  + ": keep-alive\n\n: keep-alive\n\n"
  + frame(2, "done", { finish_reason: "stop", replies: ["你好"] })
const EXPECTED = [
  { id: "0", type: "turn", data: { conversation_id: "c", message_id: "m", agent: "coze" } },
  { id: "1", type: "html", data: { from: 0, blocks: ["<p>你好，世界 🎉: a: b</p>\n"] } },
  { id: "2", type: "done", data: { finish_reason: "stop", replies: ["你好"] } },
]

async function collect(events) {
  const collected = []
  for await (const event of events) collected.push(event)
  return collected
}

function inChunks(text, size) {
  const bytes = new TextEncoder().encode(text)
  return new Response(new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size))
      controller.close()
    },
  }))
}

test("an answer cut at every chunk size reads the same", async () => {
  const { length } = new TextEncoder().encode(ANSWER)
  for (let size = 1; size <= length; size++) {
    const events = await collect(readEvents(inChunks(ANSWER, size)))
    assert.deepEqual(events, EXPECTED, `chunks of ${size}`)
  }
})

test("an event that was cut off is not yielded", async () => {
  const events = await collect(readEvents(inChunks(ANSWER.slice(0, -1), 7)))
  assert.deepEqual(events, EXPECTED.slice(0, -1))
})

let server
const realFetch = globalThis.fetch

/** A real server on loopback; our module's addresses are relative, as on the page. */
async function serve(handle) {
  const requests = []
  server = createServer((request, response) => {
    const { method, url, headers } = request
    requests.push({ method, url, last: headers["last-event-id"] })
    handle(request, response, requests.length)
  })
  await new Promise(resolve => server.listen(0, "127.0.0.1", resolve))
  const base = `http://127.0.0.1:${server.address().port}`
  globalThis.fetch = (path, options) => realFetch(base + path, options)
  return requests
}

afterEach(() => {
  globalThis.fetch = realFetch
  server?.closeAllConnections()
  server?.close()
})

const JSON_TYPE = { "Content-Type": "application/json" }
const signal = AbortSignal.timeout(20_000) // a test that reads on for ever fails

test("a lost connection is read on from the last event", async () => {
  const [, turn, html, done] = ANSWER.split(/(?=id: )/)
  const requests = await serve((request, response, count) => {
    if (count === 1) {
      response.write(turn + html)
      setTimeout(() => response.destroy(), 50)
    } else response.end(done)
  })
  const events = await collect(ask({ message: "?" }, signal))
  assert.deepEqual(events.map(event => event.type), ["turn", "html", "lost", "done"])
  assert.deepEqual(requests, [
    { method: "POST", url: "/chat?html=live", last: undefined },
    { method: "GET", url: "/chat/m/events?html=live", last: "1" },
  ])
})

test("who leaves while the connection is lost asks for nothing any more", async () => {
  const leaving = new AbortController()
  const [, turn] = ANSWER.split(/(?=id: )/)
  const requests = await serve((request, response) => {
    response.write(turn)
    setTimeout(() => response.destroy(), 50)
  })
  const events = ask({ message: "?" }, leaving.signal)
  await events.next()
  assert.equal((await events.next()).value.type, "lost")
  setTimeout(() => leaving.abort(), 50)
  await assert.rejects(events.next())
  assert.equal(requests.length, 1)
})

test("an answer that ends without an end is read again from its start", async () => {
  const requests = await serve((request, response, count) => {
    response.end(count === 1 ? ": keep-alive\n\n" : ANSWER)
  })
  const events = await collect(follow("m", "99", signal))
  assert.deepEqual(events.map(event => event.type), ["lost", "turn", "html", "done"])
  assert.deepEqual(requests.map(request => request.last), ["99", undefined])
})

test("a server that is busy restarting is asked again", async () => {
  await serve((request, response, count) => {
    if (count === 1) response.writeHead(503).end("{}")
    else response.end(ANSWER)
  })
  const events = await collect(follow("m", "", signal))
  assert.deepEqual(events.map(event => event.type), ["lost", "turn", "html", "done"])
})

test("a refusal carries the server's sentence", async () => {
  await serve((request, response) => {
    response.writeHead(429, JSON_TYPE).end('{"error":"慢一点","code":"rate_limited"}')
  })
  const isSentence = error => error instanceof Refused && error.message === "慢一点"
  await assert.rejects(collect(ask({ message: "?" }, signal)), isSentence)
})

test("a page of a proxy or of a captive portal is no answer, and no sentence for the person", async () => {
  for (const status of [200, 403, 502, 504]) {
    const requests = await serve((request, response) => {
      response.writeHead(status, { "Content-Type": "text/html" }).end("<h1>Log in</h1>\n\n")
    })
    const isNoRefusal = error => !(error instanceof Refused)
    await assert.rejects(collect(ask({ message: "?" }, signal)), isNoRefusal, `${status}`)
    assert.equal(requests.length, 1, "a question is not asked twice")
    server.closeAllConnections()
    server.close()
  }
})

test("an answer that is gone is not asked for again", async () => {
  const requests = await serve((request, response) => {
    response.writeHead(404, JSON_TYPE).end('{"error":"没有","code":"not_found"}')
  })
  await assert.rejects(collect(follow("m", "7", signal)), Refused)
  assert.equal(requests.length, 1)
})

test("a site that cannot be reached is no refusal", async () => {
  globalThis.fetch = () => Promise.reject(new TypeError("failed to fetch"))
  await assert.rejects(collect(ask({ message: "?" }, signal)), error => !(error instanceof Refused))
})
