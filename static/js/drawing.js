// The server's HTML, drawn while it comes: once per frame at most, and no more than a frame has time for.

// It comes from our server, which has cleaned it; from nowhere else.
const policy = globalThis.trustedTypes?.createPolicy("reply-html", { createHTML: html => html })
// Characters of HTML that a cheap phone draws within a frame or two.
const PORTION = 20_000
const HIDDEN_MS = 250

/** The only place that turns a string into HTML. */
export const setServerHTML = (node, html) => {
  node.innerHTML = policy ? policy.createHTML(html) : html
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
    const fresh = document.createElement("template")
    setServerHTML(fresh, portion.join(""))
    while (element.children.length > waiting.from) element.lastElementChild.remove()
    this.#finish(fresh.content)
    element.append(fresh.content)
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

/** Takes a portion from the front, one block at least. */
export function takePortion(blocks) {
  let size = 0
  const end = blocks.findIndex(block => (size += block.length) > PORTION)
  return blocks.splice(0, end < 0 ? blocks.length : Math.max(end, 1))
}
