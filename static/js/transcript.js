// The questions and answers: made from a <template>, told what the events say.

import { Drawing } from "./drawing.js"
import { followEnd } from "./scroll.js"

const BESIDE = ["thought", "tool", "media", "citation", "suggestion"] // what beside.js takes

export const copyOf = id => document.getElementById(id).content.firstElementChild.cloneNode(true)

class ChatTranscript extends HTMLElement {
  #leaving = new AbortController()
  #drawing = new Drawing(fresh => this.#addCopyButtons(fresh))
  #replaced = new WeakMap() // what a question stands in the place of
  #follower

  connectedCallback() {
    const { signal } = this.#leaving
    this.#follower = followEnd(this.querySelector(".scroller"), document.querySelector(".to-end"), signal)
    if (this.#list.children.length && !location.hash) this.#follower.follow()
    else this.#follower.release() // a welcome is read from its top
    this.#addCopyButtons(this)
    if (this.#list.children.length) this.#beside(({ count }) => this.running && count(this.running))
    document.addEventListener("click", this, { signal })
    document.addEventListener("edit-last", this, { signal })
  }

  disconnectedCallback() { this.#leaving.abort() }

  handleEvent(event) {
    const isClick = event.type === "click"
    const button = isClick && event.target.closest("[data-copy]")
    if (button) import("./copy.js").then(({ copy }) => copy(button), () => {})
    const place = isClick ? event.target.closest("[data-edit]") : this.#list.lastElementChild
    if (!place) return
    event.preventDefault()
    this.#beside(({ edit }) => edit(place.closest(".exchange")))
  }

  /** The answer that the server says is still being made, if any. */
  get running() { return this.querySelector(".exchange[data-state=running]") }

  /** Adds a question, with an answer that is yet to come; `instead` of that answer and all that follows it. */
  begin(question, files = [], instead) {
    const exchange = copyOf("exchange")
    exchange.querySelector(".question-text").textContent = question
    exchange.querySelector(".again").value = question
    this.#progress(exchange, "waiting")
    this.#welcome(false)
    if (!instead) exchange.querySelector(".versions").remove()
    this.#beside(beside => {
      beside.listFiles(exchange.querySelector(".question-files"), files)
      beside.count(exchange)
      if (instead) this.#replaced.set(exchange, beside.replace(this.#list, instead, exchange))
    })
    this.#list.append(exchange)
    this.#follower.follow()
    return exchange
  }

  /** Takes back a question that was refused. */
  remove(exchange) {
    exchange.replaceWith(...this.#replaced.get(exchange) ?? [])
    this.#welcome(!this.#list.children.length)
  }

  /** Shows what an event says. */
  take(exchange, { id, type, data }) {
    if (id) exchange.dataset.lastEventId = id
    this.#takers[type]?.(exchange, data)
    if (BESIDE.includes(type)) this.#beside(beside => beside[type](exchange, data))
  }

  #takers = {
    turn: (exchange, { message_id }) => {
      // Whoever comes anew is told everything anew.
      const isAnew = exchange.dataset.lastEventId === "0"
      exchange.dataset.messageId = message_id
      this.#beside(({ identify }) => identify(exchange, isAnew))
      this.#progress(exchange, exchange.querySelector(".words").firstChild ? "answering" : "waiting")
    },
    lost: exchange => this.#progress(exchange, "lost"),
    status: (exchange, { state, position }) => this.#progress(exchange, state, position),
    html: (exchange, { from, blocks }) => {
      this.#progress(exchange, "answering")
      this.#drawing.draw(exchange.querySelector(".words"), from, blocks)
    },
    done: (exchange, { finish_reason: why }) => this.#end(exchange, why === "stopped" ? "stopped" : "done", why === "length"),
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
    place.dataset.state = state
    place.textContent = position ? place.dataset.position.replace("%s", position) : place.dataset[state] ?? ""
  }

  /** Does what no first visit needs. Without a connection the words come all the same, when they come. */
  #beside(act) { import("./beside.js").then(act, () => {}) }

  #end(exchange, state, isCut = false) {
    this.#drawing.drawNow(exchange.querySelector(".words"))
    exchange.querySelector(".cut").hidden = !isCut
    exchange.dataset.state = state
    exchange.querySelector(".answer").removeAttribute("aria-busy")
  }

  #addCopyButtons(root) {
    for (const code of root.querySelectorAll(".code")) {
      if (!code.querySelector("[data-copy]")) code.append(copyOf("copy-code"))
    }
  }
}

customElements.define("chat-transcript", ChatTranscript)
