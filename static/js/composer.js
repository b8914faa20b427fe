// The form: Enter sends (not while composing Chinese), Esc stops, files are dropped; nothing typed is lost.

import { forgetDrafts, grow, isPhone, isTheirs, linkOf, stayAboveKeyboard, watchDrawer } from "./scroll.js"
import "./transcript.js"
import { join, keyOf, sentenceOf, tell, Turn } from "./turn.js"

// Safari ends a composition before it tells of the Enter that ended it.
const AFTER_COMPOSING_MS = 50

class ChatComposer extends HTMLElement {
  #leaving = new AbortController()
  #composedAt = -Infinity
  #files // a promise, from the first file on
  #drafts // likewise, from the first character on
  turn = null // the one at hand, until its answer has ended

  connectedCallback() {
    const { signal } = this.#leaving
    const listen = (target, ...types) => types.forEach(type => target.addEventListener(type, this, { signal }))
    listen(document, "submit", "keydown", "click", "dragover", "dragleave", "drop")
    listen(this, "compositionend", "input", "change", "paste")
    stayAboveKeyboard(globalThis.visualViewport, signal)
    watchDrawer()
    if (!isPhone()) this.#field.focus({ preventScroll: true })
    this.#measure()
    if (hasDrafts()) import("./draft.js").then(drafts => drafts.restore(this))
    const { running } = document.querySelector("chat-transcript")
    if (running) new Turn(this, running).resume(signal)
  }

  disconnectedCallback() { this.#leaving.abort() }
  handleEvent(event) { (this[`on${event.type}`] ?? this.#receive).call(this, event) }

  onsubmit(event) {
    forgetDrafts(event)
    const isTyped = event.target === this.#form
    if (!isTyped && !("ask" in event.target.dataset)) return
    if (isTyped && this.#picker?.value && !this.#files) return // without their module, the form takes files along
    event.preventDefault()
    const { message, instead } = event.target.elements
    if (isTyped) this.#submit()
    else this.#ask(message.value, { instead: instead?.value })
  }

  onkeydown(event) {
    const { key } = event
    const isLate = event.timeStamp - this.#composedAt < AFTER_COMPOSING_MS
    if (event.isComposing || event.keyCode === 229 || isLate || event.defaultPrevented) return
    if (key === "Escape" && !isTheirs(event.target)) this.#escape()
    if (event.target !== this.#field) return
    const isIdle = !this.turn && !this.#field.value && !this.#form.elements.instead.value
    if (key === "ArrowUp" && isIdle) this.dispatchEvent(new CustomEvent("edit-last", { bubbles: true }))
    if (key !== "Enter" || event.shiftKey || event.altKey || isPhone()) return
    event.preventDefault()
    if (!this.turn) this.#send.click() // older Safari has no requestSubmit
  }

  onclick(event) {
    const { target } = event
    if (target.closest(".stop")) this.turn?.stop()
    if (target.closest("[data-cancel-edit]")) this.edit(null)
    const ours = linkOf(event)
    if (ours) event.preventDefault()
    const isElsewhere = ours || target.closest("[data-theme-switch]") || document.querySelector(".menu-box[open]")
    if (isElsewhere) import("./clicks.js").then(({ clicked }) => clicked(target, ours))
  }

  oncompositionend({ timeStamp }) { this.#composedAt = timeStamp }
  onchange({ target }) { if (target === this.#picker) this.#attach(target.files) }

  oninput() {
    this.#measure()
    this.keep()
  }

  get #form() { return this.querySelector("form") }
  get #field() { return this.querySelector("textarea") }
  get #picker() { return this.querySelector("[type=file]") }
  get #send() { return this.querySelector(".send") }

  /** Takes an earlier question, {message, answer}, into the field, to be asked anew in the answer's place; null ends that. */
  edit(question) { return import("./draft.js").then(({ edit }) => edit(this, question)) }

  write(text) {
    this.#field.value = text
    this.#measure()
  }

  /** Keeps what is written, and in front of it what is on its way from the same place. */
  keep(key = keyOf(this.#form), text = join(this.turn?.pending(key), this.#field.value)) {
    this.#drafts ??= import("./draft.js")
    this.#drafts.then(drafts => drafts.keep(key, text)).catch(() => { this.#drafts = null })
  }

  /** Files pasted, or dragged over the page; anything else is left to the browser. */
  #receive(event) {
    const { type, clipboardData, dataTransfer: carried = clipboardData, relatedTarget } = event
    const has = kind => [...carried?.types ?? []].includes(kind)
    const isText = type === "paste" && has("text/plain") && has("text/html") // office programs add a picture of it
    if (!this.#picker || !has("Files") || isText) return
    if (type !== "dragleave") event.preventDefault() // else the browser would leave for the file
    this.querySelector(".drop-hint").hidden = type !== "dragover" && !relatedTarget
    if (["drop", "paste"].includes(type)) this.#attach(carried.files, type === "paste")
  }

  async #attach(list, arePasted) {
    const files = [...list] // the browser empties its own list
    this.#files ??= import("./files.js").then(({ Files }) => new Files(this))
    try {
      (await this.#files).add(files, arePasted)
      this.#picker.value = ""
    } catch (error) {
      this.#files = null
      tell(sentenceOf(error))
    }
  }

  /** Sends what is written, unless it is too long, once its files have arrived. */
  async #submit() {
    if (this.turn || await this.#measure(true)) return
    const files = await this.#files
    if ((files && !await files.haveArrived()) || this.turn || !this.#field.value.trim()) return
    this.#ask(this.#field.value, { isTyped: true, files: files?.take(), instead: this.#form.elements.instead.value })
  }

  #ask(text, question) {
    if (!this.turn && text.trim()) new Turn(this).ask({ text, ...question }, this.#leaving.signal)
  }

  #escape() {
    if (document.querySelector(".menu-box[open], #drawer:checked")) import("./clicks.js").then(({ close }) => close())
    else if (this.#form.elements.instead.value) this.edit(null)
    else if (this.#send.hasAttribute("aria-busy")) this.#send.removeAttribute("aria-busy") // waits for files no longer
    else this.turn?.stop()
  }

  /** Grows with the text, and counts it near the limit; how many characters are too many. */
  #measure(isSending) {
    grow(this.#field)
    const counter = this.querySelector(".counter")
    if (this.#field.value.length <= counter.dataset.most * 0.9 && !counter.textContent) return 0
    return import("./draft.js").then(({ show }) => show(counter, this.#field.value, isSending), () => 0)
  }
}

// The browser may forbid it.
const hasDrafts = () => { try { return localStorage.getItem("drafts") } catch { return null } }

customElements.define("chat-composer", ChatComposer)
