// The server's HTML, drawn while it comes: once per frame, and no more than a frame has time for.

// It comes from our server, which has cleaned it; from nowhere else.
const policy = globalThis.trustedTypes?.createPolicy("reply-html", { createHTML: html => html })
// Characters of HTML that a cheap phone draws within a frame or two.
const PORTION = 20_000
const HIDDEN_MS = 250

/** The only place that turns a string into HTML. */
function fragmentOf(html) {
  const template = document.createElement("template")
  template.innerHTML = policy ? policy.createHTML(html) : html
  return template.content
}

/** What is on another page of the site. */
export async function fetchPage(address) {
  const response = await fetch(address, { headers: { Accept: "text/html" } })
  if (!response.ok) throw new Error(`status ${response.status}`)
  return fragmentOf(await response.text())
}

/** Elements that grow; `finish` gets the new content of one before it is shown. */
export class Drawing {
  #waiting = new Map()
  #finish

  constructor(finish) {
    this.#finish = finish
  }

  /** Keeps the blocks from the child `from` on until the next frame; those of one frame add up. */
  draw(element, from, blocks) {
    const waiting = this.#waiting.get(element)
    if (!waiting) {
      this.#waiting.set(element, { from, blocks })
      this.#drawSoon(element)
    } else if (from < waiting.from) {
      Object.assign(waiting, { from, blocks })
    } else {
      waiting.blocks = [...waiting.blocks.slice(0, from - waiting.from), ...blocks]
    }
  }

  /** Draws a portion of what is waiting; the rest follows frame by frame. */
  drawNow(element) {
    const waiting = this.#waiting.get(element)
    if (!waiting) return
    const portion = takePortion(waiting.blocks)
    const fresh = fragmentOf(portion.join(""))
    const stale = [...element.children].slice(waiting.from)
    for (const block of stale) block.remove()
    keepCode(stale, fresh)
    this.#finish(fresh)
    element.append(fresh)
    waiting.from += portion.length
    if (waiting.blocks.length) this.#drawSoon(element)
    else this.#waiting.delete(element)
  }

  #drawSoon(element) {
    const draw = () => this.drawNow(element)
    // A hidden page gets no frames.
    if (document.hidden) setTimeout(draw, HIDDEN_MS)
    else requestAnimationFrame(draw)
  }
}

/** A block of code that only grew stays the same element, with its colours and its position. */
function keepCode(stale, fresh) {
  const isCode = block => block.matches(".code")
  const blocks = stale.flatMap(
    block => isCode(block) ? [block] : [...block.querySelectorAll(".code")],
  )
  const grown = [...fresh.querySelectorAll(".code")].slice(0, blocks.length)
  grown.forEach((block, number) => {
    const old = blocks[number]
    if (growCode(old.querySelector("code"), block.querySelector("code"))) block.replaceWith(old)
  })
}

/** Whether `code` could take in what `grown` has more. */
function growCode(code, grown) {
  const { textContent: text } = grown
  const { length } = code.textContent
  const hasGrown = code.className === grown.className && text.startsWith(code.textContent)
  // Elements would be the server's.
  if (!hasGrown || grown.firstElementChild) return false
  if (code.lastChild?.nodeType === Node.TEXT_NODE) code.lastChild.appendData(text.slice(length))
  else code.append(text.slice(length))
  return true
}

/** Takes a portion from the front, one block at least. */
export function takePortion(blocks) {
  let size = 0
  const end = blocks.findIndex(block => (size += block.length) > PORTION)
  return blocks.splice(0, end < 0 ? blocks.length : Math.max(end, 1))
}
