// The questions and answers: made from a <template>, changed by what the events of an answer say.

import { clearBeside, listFiles, showBeside } from "./beside.js"
import { Drawing } from "./drawing.js"
import { followEnd } from "./follow.js"
import { announce, copyOf, finishCode, load, nextPicture, sendPlainly } from "./page.js"

class ChatTranscript extends HTMLElement {
  #leaving = new AbortController()
  #drawing = new Drawing(finishCode)
  // The exchanges that a new version took out of the list.
  #replaced = new WeakMap()
  #follower
  // What is said before the first question. To look for it at each one would search all answers.
  #welcome = this.querySelector(".welcome")
  // The exchange of the next question, and its parts that show later: made before it is asked.
  #blank = makeBlank()
  // Those parts, until they are in their exchange.
  #rests = new WeakMap()
  // The Markdown of each exchange's replies, while it comes.
  #replies = new WeakMap()

  connectedCallback() {
    const { signal } = this.#leaving
    const scroller = this.querySelector(".scroller")
    this.#follower = followEnd(scroller, document.querySelector(".to-end"), signal)
    const isWelcome = !this.#list.children.length
    // A welcome is read from its top.
    if (isWelcome || location.hash) this.#follower.release()
    else this.#follower.follow()
    if (this.running) this.#countSeconds(this.running)
    if (!isWelcome) bringForClicks()
    document.addEventListener("click", event => this.#click(event), { signal })
    document.addEventListener("submit", event => this.#submit(event), { signal })
    const editLast = () => this.#edit(this.#list.lastElementChild)
    document.addEventListener("edit-last", editLast, { signal })
  }

  disconnectedCallback() {
    this.#leaving.abort()
  }

  /** The answer that the server says is still being made, if any. */
  get running() {
    return this.querySelector(".exchange[data-state=running]")
  }

  /** Adds a question whose answer is yet to come; `instead` of that answer and what follows it. */
  addQuestion(question, files = [], instead = "") {
    const { exchange, rest } = this.#blank ?? makeBlank()
    this.#blank = null
    exchange.querySelector(".question-text").textContent = question
    this.#rests.set(exchange, rest)
    this.#showWelcome(false)
    this.#list.append(exchange)
    if (instead) this.#replaceAnswer(instead, exchange)
    if (files.length) listFiles(this.#complete(exchange).querySelector(".question-files"), files)
    this.#follower.followSoon()
    nextPicture().then(() => this.#settle(exchange))
    return exchange
  }

  /** What need not be in the first picture of a question, and takes as long as all the rest. */
  #settle(exchange) {
    this.#complete(exchange)
    this.#leaveOutFar()
    this.#blank ??= makeBlank()
  }

  /** Gives an exchange its other parts, if it lacks them, and returns it. */
  #complete(exchange) {
    const rest = this.#rests.get(exchange)
    if (!rest) return exchange
    this.#rests.delete(exchange)
    const text = exchange.querySelector(".question-text")
    text.after(rest.question)
    exchange.append(rest.answer)
    exchange.querySelector(".again").value = text.textContent
    this.#showProgress(exchange, "waiting")
    this.#countSeconds(exchange)
    return exchange
  }

  /** Takes back a question that was refused. */
  removeQuestion(exchange) {
    exchange.replaceWith(...this.#replaced.get(exchange) ?? [])
    this.#showWelcome(!this.#list.children.length)
  }

  /** Shows what an event says. */
  apply(exchange, { id, type, data }) {
    if (id) exchange.dataset.lastEventId = id
    this.#follower.expectNews()
    this.#complete(exchange)
    switch (type) {
      case "turn": return this.#identify(exchange, data.message_id)
      case "lost": return this.#showProgress(exchange, "lost")
      case "status": return this.#showProgress(exchange, data.state, data.position)
      case "html": return this.#draw(exchange, data)
      case "delta": return this.#addText(exchange, data)
      case "replace": return this.#setText(exchange, data)
      case "done": return this.#finish(exchange, data)
      case "error": return this.#fail(exchange, data.error)
      default: return showBeside(exchange, { type, data })
    }
  }

  get #list() {
    return document.getElementById("transcript")
  }

  #click(event) {
    const rateButton = event.target.closest("[data-rate]")
    if (rateButton) {
      event.preventDefault()
      // A click whose module does not come does nothing; the next one tries again.
      load("./rate.js").then(({ rate }) => rate(rateButton), () => {})
    }
    const speakButton = event.target.closest("[data-speak]")
    if (speakButton) load("./speak.js").then(({ speak }) => speak(speakButton), () => {})
    const editLink = event.target.closest("[data-edit]")
    if (!editLink) return
    event.preventDefault()
    this.#edit(editLink.closest(".exchange"))
  }

  /** A link is shown where it was asked for; without the module the page with the menu comes. */
  #submit(event) {
    const form = event.target
    if (!form.matches("[data-share]")) return
    event.preventDefault()
    const button = form.querySelector("button")
    load("./share.js").then(({ share }) => share(form, button), () => sendPlainly(form, button))
  }

  /** Offers the question of an exchange to be asked in other words. */
  #edit(exchange) {
    if (!exchange) return
    const message = exchange.querySelector(".question-text").textContent
    document.querySelector("chat-composer").edit({ message, answer: exchange.dataset.messageId })
  }

  /** An earlier answer and all that follows it give way to its new version. */
  #replaceAnswer(answer, exchange) {
    const all = [...this.querySelectorAll(".earlier > *, #transcript > *")]
    const first = all.find(({ dataset }) => dataset.messageId === answer)
    if (!first) return
    const replaced = all.slice(all.indexOf(first), all.indexOf(exchange))
    for (const element of replaced) element.remove()
    this.#replaced.set(exchange, replaced)
    this.#complete(exchange).querySelector(".versions").hidden = false
    const count = first.querySelector(".versions:not([hidden]) [data-number]")?.textContent.split("/")[1] ?? 1
    const number = Number(count) + 1
    exchange.querySelector("[data-number]").textContent = `${number} / ${number}`
    exchange.querySelector("[data-previous]").href = `?at=${answer}#m-${answer}`
  }

  #identify(exchange, id) {
    // Such a stream begins anew and repeats everything.
    const isAnew = exchange.dataset.lastEventId === "0"
    exchange.dataset.messageId = id
    exchange.id = `m-${id}`
    exchange.querySelector("form [name=instead]").value = id
    exchange.querySelector("[data-share] button").value = id
    exchange.querySelector("[data-edit]").href = `?edit=${id}`
    if (isAnew) clearBeside(exchange)
    const hasText = exchange.querySelector(".prose").firstChild !== null
    this.#showProgress(exchange, hasText ? "answering" : "waiting")
  }

  #draw(exchange, { from, blocks }) {
    this.#showProgress(exchange, "answering")
    this.#drawing.draw(exchange.querySelector(".prose"), from, blocks)
  }

  /** Keeps the Markdown of an answer's replies, for copying. */
  #addText(exchange, { text, reply }) {
    const replies = this.#replies.get(exchange) ?? []
    replies[reply] = (replies[reply] ?? "") + text
    this.#replies.set(exchange, replies)
  }

  #setText(exchange, { text, reply }) {
    const replies = this.#replies.get(exchange) ?? []
    replies[reply] = text
    this.#replies.set(exchange, replies)
  }

  #finish(exchange, { finish_reason: reason, replies }) {
    this.#replies.set(exchange, replies)
    exchange.querySelector(".cut").hidden = reason !== "length"
    this.#end(exchange, reason === "stopped" ? "stopped" : "done")
  }

  #fail(exchange, sentence) {
    exchange.querySelector(".if-failed").textContent = sentence
    this.#end(exchange, "failed")
  }

  #end(exchange, state) {
    this.#drawing.drawNow(exchange.querySelector(".prose"))
    const source = (this.#replies.get(exchange) ?? []).filter(Boolean).join("\n\n")
    if (source) exchange.querySelector(".source").content.textContent = source
    exchange.dataset.state = state
    exchange.querySelector(".answer").removeAttribute("aria-busy")
    bringForClicks()
  }

  /** As on the server: nothing within reach of the screen changes its height by being left out. */
  #leaveOutFar() {
    const { children, dataset } = this.#list
    children[children.length - dataset.near - 1]?.classList.add("far")
  }

  #showWelcome(isShown) {
    if (this.#welcome) this.#welcome.hidden = !isShown
    this.classList.toggle("empty", isShown)
  }

  #showProgress(exchange, state, position) {
    const progress = exchange.querySelector(".progress")
    const { dataset } = progress
    dataset.state = state
    progress.textContent = position
      ? dataset.position.replace("%s", position)
      : dataset[state] ?? ""
    if (state === "queued" || state === "lost") announce("", progress.textContent)
  }

  /** Says for how many seconds the agent has been thinking, until it answers. */
  #countSeconds(exchange) {
    const progress = exchange.querySelector(".progress")
    const { dataset } = progress
    const startedAt = Date.now() - 1000 * exchange.dataset.age
    const timer = setInterval(() => {
      if (exchange.dataset.state !== "running") return clearInterval(timer)
      if (dataset.state !== "waiting") return
      const seconds = Math.round((Date.now() - startedAt) / 1000)
      progress.textContent = `${dataset.waiting} ${dataset.seconds.replace("%s", seconds)}`
    }, 1000)
  }
}

/** Safari lets a page copy and speak only during a click, which a module on its way would outlast. */
function bringForClicks() {
  const bring = () => ["./copy.js", "./speak.js"].forEach(path => load(path).catch(() => {}))
  nextPicture().then(bring)
}

/** An exchange as its first picture shows it, and the `rest` of its parts. */
function makeBlank() {
  const exchange = copyOf("exchange")
  const takeBelow = selector => {
    const element = exchange.querySelector(selector)
    const range = document.createRange()
    range.setStartAfter(element)
    range.setEndAfter(element.parentNode.lastChild)
    return range.extractContents()
  }
  return { exchange, rest: { question: takeBelow(".question-text"), answer: takeBelow(".question") } }
}

customElements.define("chat-transcript", ChatTranscript)
