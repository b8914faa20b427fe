// Signing in while others guess codes: solves the page's puzzle beside it, and sends the solution along.

const form = document.querySelector("form[data-puzzle]")
const status = document.getElementById("solving")
const LONGEST_MS = 240_000
// With the puzzle nobody needs to wait as long as the page says.
const again = document.querySelector("[data-again]")
if (again) again.textContent = again.dataset.again
let solution = null
let isSending = false

/** The address of our own worker, in the words of browsers that ask for trusted types. */
function workerAddress() {
  const address = new URL("./puzzle-worker.js", import.meta.url).href
  const policy = globalThis.trustedTypes?.createPolicy("puzzle-worker", { createScriptURL: url => url })
  return policy ? policy.createScriptURL(address) : address
}

/** Solves the puzzle; the nonce, or null where there is no worker or no end. */
function solve() {
  return new Promise(resolve => {
    const { puzzle, bits } = form.dataset
    let worker
    const end = nonce => {
      worker?.terminate()
      resolve(nonce)
    }
    try {
      worker = new Worker(workerAddress(), { type: "module" })
    } catch {
      // An old browser: the server says how long to wait.
      return end(null)
    }
    setTimeout(() => end(null), LONGEST_MS)
    worker.onmessage = ({ data }) => end(data)
    worker.onerror = () => end(null)
    worker.postMessage({ puzzle, bits: Number(bits) })
  })
}

function addField(name, value) {
  const field = document.createElement("input")
  Object.assign(field, { type: "hidden", name, value })
  form.append(field)
}

async function send() {
  status.textContent = status.dataset.solving
  const nonce = await (solution ??= solve())
  if (nonce !== null) {
    addField("puzzle", form.dataset.puzzle)
    addField("nonce", nonce)
  }
  form.submit()
}

// While the code is typed there is time to solve it.
form.addEventListener("input", () => { solution ??= solve() }, { once: true })
form.addEventListener("submit", event => {
  event.preventDefault()
  if (isSending) return
  isSending = true
  send()
})
// A page that comes back by the back button has a puzzle that was used.
addEventListener("pageshow", ({ persisted }) => { if (persisted) location.reload() })
