// One answer as events: asked for by POST, and after a lost connection read on by GET.

import { Refused } from "./page.js"

// The server says something at least every ten seconds; after three such silences nobody is there.
const SILENCE_MS = 35_000
// A page that wakes waits for no more than one such silence, and a moment for what is on its way.
const HEARTBEAT_MS = 12_000
const GRACE_MS = 1500
const CONNECT_MS = 8000
const PAUSES_MS = [300, 1000, 2000, 4000, 8000, 15_000]

/** Asks, and yields the events of the answer; {type: "lost"} stands for a lost connection. */
export const ask = (question, signal) => readToEnd(signal, {}, () => open("/chat?html=live", {
  method: "POST",
  headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
  body: JSON.stringify(question),
  signal,
}))

/** Reads on an answer that was asked for before. */
export const follow = (message, last, signal) =>
  readToEnd(signal, { message, last }, () => reopen({ message, last }, signal))

/** `place` is {message, last}: the answer, and the id of the last event that came. */
async function* readToEnd(signal, place, firstConnect) {
  let connect = firstConnect
  let failures = 0
  for (;;) {
    try {
      for await (const event of readEvents(await connect())) {
        place.last = event.id ?? place.last
        place.message = event.data.message_id ?? place.message
        failures = 0
        yield event
        if (event.type === "done" || event.type === "error") return
      }
      // Closed in good order, yet without an end: the server no longer knows the id we count from.
      place.last = ""
    } catch (error) {
      const isFinal = error instanceof Refused && error.status < 500 && error.status !== 429
      if (signal.aborted || isFinal || !place.message) throw error
    }
    if (!place.message) throw new Error("the answer ended before it began")
    yield { type: "lost" }
    await pause(PAUSES_MS[Math.min(failures++, PAUSES_MS.length - 1)], signal)
    connect = () => reopen(place, signal)
  }
}

function reopen({ message, last }, signal) {
  const headers = { Accept: "text/event-stream" }
  if (last) headers["Last-Event-ID"] = last
  return withinLimit(signal, signal =>
    open(`/chat/${message}/events?html=live`, { headers, signal }))
}

/** Gives up an attempt whose response does not begin: its connection may be dead as well. */
async function withinLimit(signal, request) {
  const attempt = new AbortController()
  const end = () => attempt.abort()
  const timer = setTimeout(end, CONNECT_MS)
  signal.addEventListener("abort", end, { once: true })
  // Who left meanwhile, during a pause, waits for nothing.
  if (signal.aborted) end()
  try {
    return await request(attempt.signal)
  } finally {
    clearTimeout(timer)
  }
}

async function open(url, options) {
  const response = await fetch(url, { cache: "no-store", ...options })
  if (response.ok) return response
  const payload = await response.json().catch(() => ({}))
  if (payload.error) throw new Refused(payload.error, response.status)
  throw new Error(`status ${response.status}`)
}

/** Yields {id, type, data} for each of our events (one data line each) in a fetch Response. */
export async function* readEvents(response) {
  // Older Safari cannot iterate over a body.
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let buffer = ""
  try {
    for (;;) {
      const { done, value } = await orSilence(reader.read())
      if (done) return
      buffer += decoder.decode(value, { stream: true })
      const blocks = buffer.split("\n\n")
      buffer = blocks.pop()
      yield* blocks.map(parseEvent).filter(Boolean)
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}

function parseEvent(block) {
  const fields = {}
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":")
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, "")
  }
  return fields.data && { id: fields.id, type: fields.event, data: JSON.parse(fields.data) }
}

/** The next bytes, or an error when nobody is there any more. */
function orSilence(reading) {
  const since = Date.now()
  let timer
  let ignoreWaking
  const silence = new Promise((_, reject) => {
    const giveUp = () => reject(new Error("silence"))
    timer = setTimeout(giveUp, SILENCE_MS)
    // Timers stand still while a phone sleeps, and its sockets are often dead when it wakes.
    ignoreWaking = onWaking(isNewNetwork => {
      clearTimeout(timer)
      const rest = isNewNetwork ? 0 : HEARTBEAT_MS - (Date.now() - since)
      timer = setTimeout(giveUp, Math.max(rest, GRACE_MS))
    })
  })
  return Promise.race([reading, silence]).finally(() => {
    clearTimeout(timer)
    ignoreWaking()
  })
}

/** Waits; a page that wakes waits no longer. */
function pause(milliseconds, signal) {
  return new Promise(resolve => {
    const end = () => {
      clearTimeout(timer)
      ignoreWaking()
      resolve()
    }
    const timer = setTimeout(end, milliseconds)
    const ignoreWaking = onWaking(end)
    signal.addEventListener("abort", end, { once: true })
  })
}

/** Calls back when the page is looked at again or comes online. Returns what ends that. */
function onWaking(callback) {
  const page = globalThis.document
  const look = () => page.visibilityState === "visible" && callback(false)
  const connect = () => callback(true)
  page?.addEventListener("visibilitychange", look)
  globalThis.addEventListener?.("pageshow", connect)
  globalThis.addEventListener?.("online", connect)
  return () => {
    page?.removeEventListener("visibilitychange", look)
    globalThis.removeEventListener?.("pageshow", connect)
    globalThis.removeEventListener?.("online", connect)
  }
}
