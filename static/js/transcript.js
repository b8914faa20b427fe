// The questions and answers: made from a <template>, drawn at most once per frame, copied.

import { followEnd } from "./scroll.js"
import { setServerHTML } from "./trusted.js"

const copyOf = id => document.getElementById(id).content.firstElementChild.cloneNode(true)

/** An address of the platform's, if it is one that a click may follow. */
const isWeb = url => /^https?:\/\//i.test(url ?? "")

class ChatTranscript extends HTMLElement {
  #leaving = new AbortController()
  #waiting = new Map()
  #follower

  connectedCallback() {
    const { signal } = this.#leaving
    this.#follower = followEnd(this.querySelector(".scroller"), document.querySelector(".to-end"), signal)
    if (this.#list.children.length) this.#follower.follow()
    else this.#follower.release() // a welcome is read from its top
    this.#addCopyButtons(this)
    this.addEventListener("click", event => {
      const button = event.target.closest("[data-copy]")
      if (button) copy(button)
    }, { signal })
  }

  disconnectedCallback() { this.#leaving.abort() }

  /** The answer that the server says is still being made, if any. */
  get running() { return this.querySelector(".exchange[data-state=running]") }

  /** Adds a question, with an answer that is yet to come. */
  begin(question, files = []) {
    const exchange = copyOf("exchange")
    listFiles(exchange.querySelector(".question-files"), files)
    exchange.querySelector(".question-text").textContent = question
    exchange.querySelector(".again").value = question
    exchange.querySelector(".progress").textContent = exchange.querySelector(".progress").dataset.waiting
    this.#welcome(false)
    this.#list.append(exchange)
    this.#follower.follow()
    return exchange
  }

  /** Takes back a question that was refused. */
  remove(exchange) {
    exchange.remove()
    this.#welcome(!this.#list.children.length)
  }

  /** Shows what an event says. */
  take(exchange, { id, type, data }) {
    if (id) exchange.dataset.lastEventId = id
    this.#takers[type]?.(exchange, data)
  }

  /** What was said, as plain text. */
  textOf(exchange) { return exchange.querySelector(".words").innerText.trim() }

  #takers = {
    turn: (exchange, { message_id }) => {
      // Whoever comes anew is told everything anew.
      if (exchange.dataset.lastEventId === "0") this.#empty(exchange)
      exchange.dataset.messageId = message_id
      this.#progress(exchange, "waiting")
    },
    lost: exchange => this.#progress(exchange, "lost"),
    status: (exchange, { state, position }) => this.#progress(exchange, state, position),
    html: (exchange, { from, blocks }) => {
      this.#progress(exchange, "answering")
      this.#draw(exchange, from, blocks)
    },
    thought: (exchange, { text }) => {
      exchange.querySelector(".thought").hidden = false
      exchange.querySelector(".thought-text").append(text)
    },
    tool: (exchange, step) => {
      const list = exchange.querySelector(".tools")
      const item = [...list.children].find(one => one.dataset.id === step.id) ?? add(list, copyOf("tool"))
      Object.assign(item.dataset, { id: step.id, state: step.state })
      item.querySelector(".tool-name").textContent = step.name
    },
    media: (exchange, { kind, url, picture }) => {
      const list = exchange.querySelector(".media")
      const address = picture ?? url
      if (!picture && !isWeb(url)) return
      if ([...list.querySelectorAll("a")].some(link => link.href === new URL(address, location.href).href)) return
      const sort = picture ? "picture" : kind
      const item = add(list, copyOf(document.getElementById(`media-${sort}`) ? `media-${sort}` : "media-file"))
      item.querySelector("a").href = address
      item.querySelector("img")?.setAttribute("src", address)
    },
    citation: (exchange, { title, url, text }) => {
      const details = exchange.querySelector(".citations")
      const known = [...details.querySelectorAll("li")].some(one => one.dataset.key === `${url} ${title} ${text}`)
      if (known) return
      const item = add(details.querySelector("ol"), copyOf("citation"))
      item.dataset.key = `${url} ${title} ${text}`
      const link = item.querySelector(".citation-title")
      link.textContent = title || url || ""
      link.hidden = !link.textContent
      link.classList.toggle("link", isWeb(url))
      if (isWeb(url)) link.href = url
      const passage = item.querySelector(".citation-text")
      passage.textContent = text ?? ""
      passage.hidden = !text
      details.hidden = false
    },
    suggestion: (exchange, { text }) => {
      const list = exchange.querySelector(".suggestions")
      if ([...list.querySelectorAll("button")].some(one => one.value === text)) return
      const button = add(list, copyOf("suggestion")).querySelector("button")
      button.value = button.textContent = text
    },
    done: (exchange, { finish_reason }) => this.#end(exchange, finish_reason === "stopped" ? "stopped" : "done"),
    error: (exchange, { error }) => {
      exchange.querySelector(".if-failed").textContent = error
      this.#end(exchange, "failed")
    },
  }

  get #list() { return document.getElementById("transcript") }

  #welcome(isShown) {
    const welcome = this.querySelector(".welcome")
    if (welcome) welcome.hidden = !isShown
  }

  #progress(exchange, state, position) {
    const place = exchange.querySelector(".progress")
    const sentence = position ? place.dataset.position.replace("%s", position) : place.dataset[state]
    place.textContent = sentence ?? ""
  }

  #empty(exchange) {
    exchange.querySelector(".thought-text").textContent = ""
    for (const list of exchange.querySelectorAll(".tools, .media, .citations ol, .suggestions")) list.textContent = ""
  }

  /** Keeps what is to be drawn until the next frame; of two drawings in one frame the parts add up. */
  #draw(exchange, from, blocks) {
    const waiting = this.#waiting.get(exchange)
    if (!waiting) {
      this.#waiting.set(exchange, { from, blocks })
      if (document.hidden) setTimeout(() => this.#drawNow(exchange), 250) // no frames while nobody looks
      else requestAnimationFrame(() => this.#drawNow(exchange))
    } else if (from < waiting.from) {
      Object.assign(waiting, { from, blocks })
    } else {
      waiting.blocks = [...waiting.blocks.slice(0, from - waiting.from), ...blocks]
    }
  }

  #drawNow(exchange) {
    const waiting = this.#waiting.get(exchange)
    if (!waiting) return
    this.#waiting.delete(exchange)
    const words = exchange.querySelector(".words")
    const fresh = document.createElement("template")
    setServerHTML(fresh, waiting.blocks.join(""))
    while (words.children.length > waiting.from) words.lastElementChild.remove()
    this.#addCopyButtons(fresh.content)
    words.append(fresh.content)
  }

  #end(exchange, state) {
    this.#drawNow(exchange)
    exchange.dataset.state = state
    exchange.querySelector(".answer").removeAttribute("aria-busy")
  }

  #addCopyButtons(root) {
    for (const code of root.querySelectorAll(".code")) {
      if (!code.querySelector("[data-copy]")) code.append(copyOf("copy-code"))
    }
  }
}

/** Shows the names of files that come with a question. */
export function listFiles(list, files) {
  list.textContent = ""
  for (const { name } of files) add(list, copyOf("file")).querySelector(".file-name").textContent = name
}

function add(list, item) {
  list.append(item)
  list.hidden = false
  return item
}

async function copy(button) {
  const source = button.dataset.copy === "code"
    ? button.closest(".code").querySelector("pre").textContent
    : button.closest(".exchange").querySelector(".words").innerText
  await writeToClipboard(source)
  const sign = button.firstElementChild
  const status = document.querySelector("body > [role=status]")
  status.textContent = status.dataset.copied
  sign.replaceWith(copyOf("copied"))
  setTimeout(() => button.firstElementChild.replaceWith(sign), 1500)
}

/** On plain http there is no navigator.clipboard; the old way still works everywhere. */
async function writeToClipboard(text) {
  try {
    await navigator.clipboard.writeText(text)
  } catch {
    const focused = document.activeElement
    const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, className: "sr-only" })
    document.body.append(field)
    field.select()
    document.execCommand("copy")
    field.remove()
    focused?.focus({ preventScroll: true })
  }
}

customElements.define("chat-transcript", ChatTranscript)
