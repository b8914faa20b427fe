// Colours blocks of code, also while they grow, by a worker that is ended if it takes long.

// Many times what a block takes on a slow phone that is busy.
const LIMIT_MS = 3000
const LOADING_MS = 20_000
// A growing block is coloured anew at most so often.
const REST_MS = 300
// Beyond this, elements for the colours would cost more than they are worth.
const MAX_CHARS = 60_000
const COLOURS = new Set(["keyword", "name", "string", "number", "comment"])
const CLASS = /^language-([a-z0-9+#_-]{1,30})$/

const waiting = new Set()
// {text, at}: what was coloured of a block, and when.
const coloured = new WeakMap()
// Blocks that stay plain, because a worker had to be ended over them.
const plain = new WeakSet()
let worker = null
let policy
let isBusy = false

const sight = globalThis.IntersectionObserver && new IntersectionObserver(entries => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue
    sight.unobserve(target)
    enqueue(target)
  }
}, { root: document.querySelector(".scroller"), rootMargin: "600px" })

/** Colours these <code> elements when they come into sight. */
export function colourCode(elements) {
  for (const element of elements) {
    if (sight) sight.observe(element)
    else enqueue(element)
  }
}

function enqueue(element) {
  waiting.add(element)
  if (!isBusy) colourNext()
}

async function colourNext() {
  isBusy = true
  for (const element of waiting) {
    waiting.delete(element)
    if (element.isConnected) await colour(element)
  }
  isBusy = false
}

async function colour(element) {
  const language = CLASS.exec(element.className)?.[1]
  const text = element.textContent
  const last = coloured.get(element)
  if (!language || text.length > MAX_CHARS || plain.has(element) || last?.text === text) return
  const rest = last ? last.at + REST_MS - performance.now() : 0
  if (rest > 0) return void setTimeout(() => enqueue(element), rest)
  const segments = await ask({ language, text })
  coloured.set(element, { text, at: performance.now() })
  if (segments === undefined) plain.add(element)
  if (segments && element.textContent.startsWith(text)) show(element, text, segments)
}

/** Text nodes and spans; what has grown meanwhile follows as it is. */
function show(element, text, segments) {
  const rest = element.textContent.slice(text.length)
  const nodes = document.createDocumentFragment()
  let start = 0
  for (const [length, colour] of segments) {
    const piece = text.slice(start, start + length)
    nodes.append(COLOURS.has(colour) ? span(piece, colour) : piece)
    start += length
  }
  if (rest) nodes.append(rest)
  element.textContent = ""
  element.append(nodes)
}

function span(text, colour) {
  const element = document.createElement("span")
  element.className = `code-${colour}`
  element.textContent = text
  return element
}

/** The segments of a text; null where there are none, undefined if it took too long. */
function ask(question) {
  return new Promise(resolve => {
    let timer = setTimeout(() => restart(null), LOADING_MS)
    const end = segments => {
      clearTimeout(timer)
      resolve(segments)
    }
    const restart = segments => {
      worker?.terminate()
      worker = null
      end(segments)
    }
    try {
      worker ??= new Worker(workerAddress(), { type: "module" })
    } catch {
      // An old browser.
      return end(null)
    }
    worker.onmessage = ({ data }) => {
      if (!data.isStarted) return end(data.segments)
      clearTimeout(timer)
      timer = setTimeout(() => restart(undefined), LIMIT_MS)
    }
    worker.onerror = () => restart(null)
    worker.postMessage(question)
  })
}

/** The address of our own worker, in the words of browsers that ask for trusted types. */
function workerAddress() {
  const address = new URL("./colouring-worker.js", import.meta.url).href
  policy ??= globalThis.trustedTypes?.createPolicy("code-worker", { createScriptURL: url => url })
  return policy ? policy.createScriptURL(address) : address
}
