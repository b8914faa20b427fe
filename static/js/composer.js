// The form: Enter sends (not while composing Chinese), Esc stops, files are dropped; no text lost.

import { showRoom } from "./counter.js"
import { findDraft, keepDraft, restoreDraft } from "./drafts.js"
import {
  bringStyles, fieldsOf, focusField, isEscapeTaken, isPhone, join, keyOf, load, sentenceOf,
  showProblem,
} from "./page.js"
import "./transcript.js"
import { Turn } from "./turn.js"

// Safari ends a composition before it reports the Enter that ended it.
const AFTER_COMPOSING_MS = 50
// A browser reads the field's rules when it opens what chooses.
const PICKING_MS = 500

class ChatComposer extends HTMLElement {
  #leaving = new AbortController()
  #isComposing = false
  #composedAt = -Infinity
  // A promise of what takes files, from the first file on.
  #files
  // The turn whose answer has not ended yet.
  turn = null

  connectedCallback() {
    this.#listen()
    stayAboveKeyboard(globalThis.visualViewport, this.#leaving.signal)
    if (!isPhone() && !document.querySelector(".menu-box[open]")) {
      this.#field.focus({ preventScroll: true })
    }
    this.#measure()
    restoreDraft(this)
    const { running } = document.querySelector("chat-transcript")
    if (running) new Turn(this).resume(running, this.#leaving.signal)
  }

  disconnectedCallback() {
    this.#leaving.abort()
  }

  #listen() {
    const options = { signal: this.#leaving.signal }
    document.addEventListener("submit", event => this.#catchSubmit(event), options)
    document.addEventListener("keydown", event => this.#pressKey(event), options)
    document.addEventListener("click", ({ target }) => this.#click(target), options)
    for (const type of ["dragover", "dragleave", "drop"]) {
      document.addEventListener(type, event => this.#receive(event), options)
    }
    this.addEventListener("paste", event => this.#receive(event), options)
    this.addEventListener("compositionstart", () => { this.#isComposing = true }, options)
    this.addEventListener("compositionend", ({ timeStamp }) => {
      this.#isComposing = false
      this.#composedAt = timeStamp
    }, options)
    // The field keeps the focus: its going would hold up the picture of the question. Only a text
    // that is being composed has to be ended by it.
    this.addEventListener("mousedown", event => {
      if (event.target.closest(".send") && !this.#isComposing) event.preventDefault()
    }, options)
    this.addEventListener("input", () => this.#input(), options)
    this.addEventListener("change", ({ target }) => {
      if (target === this.#picker) this.#attach(target.files)
    }, options)
  }

  get #form() {
    return this.querySelector("form")
  }

  get #field() {
    return this.querySelector("textarea")
  }

  get #picker() {
    return this.querySelector("[type=file]")
  }

  get #sendButton() {
    return this.querySelector(".send")
  }

  /** Takes an earlier question, {message, answer}, into the field; null ends that. */
  edit(question) {
    const { instead } = fieldsOf(this.#form)
    const strip = this.querySelector(".editing")
    const key = keyOf(this.#form)
    if (question && !instead.value) strip.dataset.before = this.#field.value
    // What is still on its way is kept until it is accepted.
    if (!question) this.keepDraft(key, this.turn?.pendingText(key) ?? "")
    instead.value = question?.answer ?? ""
    strip.hidden = !question
    this.#field.setAttribute("aria-describedby", question ? "editing hint" : "hint")
    this.write(question?.message ?? strip.dataset.before ?? "")
    if (question) return this.#field.focus()
    if (!strip.dataset.before) this.#writeDraft()
    focusField()
  }

  write(text) {
    this.#field.value = text
    this.#measure()
  }

  /** Keeps what is written, and in front of it what is on its way from the same place. */
  keepDraft(key = keyOf(this.#form), text = this.#unsentText(key)) {
    keepDraft(key, text)
  }

  #unsentText(key) {
    return join(this.turn?.pendingText(key), this.#field.value)
  }

  #writeDraft() {
    if (!this.#field.value) this.write(findDraft(keyOf(this.#form)))
  }

  #catchSubmit(event) {
    const { target } = event
    const isTyped = target === this.#form
    if (!isTyped && !("ask" in target.dataset)) return
    event.preventDefault()
    const { message, instead } = fieldsOf(target)
    if (isTyped) this.#submit()
    else this.#ask({ text: message.value, instead: instead?.value })
  }

  #pressKey(event) {
    const { key, target } = event
    const isLate = event.timeStamp - this.#composedAt < AFTER_COMPOSING_MS
    const isComposing = event.isComposing || event.keyCode === 229 || isLate
    if (isComposing || event.defaultPrevented) return
    if (key === "Escape" && !isEscapeTaken(target)) this.#escape()
    if (target !== this.#field) return
    if (key === "ArrowUp" && this.#isIdle) {
      this.dispatchEvent(new CustomEvent("edit-last", { bubbles: true }))
    }
    if (key === "Enter" && !event.shiftKey && !event.altKey && !isPhone()) {
      event.preventDefault()
      // Older Safari has no requestSubmit.
      if (!this.turn) this.#sendButton.click()
    }
  }

  get #isIdle() {
    return !this.turn && !this.#field.value && !fieldsOf(this.#form).instead.value
  }

  #escape() {
    const button = this.#sendButton
    if (fieldsOf(this.#form).instead.value) this.edit(null)
    // A question that waits for its files waits no longer.
    else if (button.hasAttribute("aria-busy")) button.removeAttribute("aria-busy")
    else this.turn?.stop()
  }

  #click(target) {
    if (target.closest(".stop")) this.turn?.stop()
    if (target.closest("[data-cancel-edit]")) this.edit(null)
    const pictures = target.closest("[data-pick]")
    if (pictures) this.#pick(pictures.dataset.pick)
    const ear = target.closest("[data-listen]")
    if (ear) load("./listen.js").then(({ listen }) => listen(ear, this), () => {})
  }

  /** Opens the camera or the album, by the one field for files. */
  #pick(source) {
    const picker = this.#picker
    const { accept } = picker
    // So named, an iPhone's own format becomes one of these.
    picker.accept = "image/jpeg,image/png"
    picker.toggleAttribute("capture", source === "camera")
    picker.click()
    setTimeout(() => {
      picker.accept = accept
      picker.removeAttribute("capture")
    }, PICKING_MS)
  }

  #input() {
    bringStyles()
    this.#measure()
    this.keepDraft()
  }

  /** Files pasted, or dragged over the page; anything else is left to the browser. */
  #receive(event) {
    const { type, relatedTarget } = event
    const transfer = event.clipboardData ?? event.dataTransfer
    const has = kind => [...transfer?.types ?? []].includes(kind)
    // Office programs add a picture to the text.
    const isText = type === "paste" && has("text/plain") && has("text/html")
    if (!this.#picker || !has("Files") || isText) return
    // Else the browser would leave for the file.
    if (type !== "dragleave") event.preventDefault()
    this.querySelector(".drop-hint").hidden = type !== "dragover" && !relatedTarget
    if (type === "drop" || type === "paste") this.#attach(transfer.files, type === "paste")
  }

  async #attach(list, arePasted) {
    // The browser empties its own list.
    const files = [...list]
    this.#files ??= load("./files.js").then(({ Files }) => new Files(this))
    try {
      const chosen = await this.#files
      chosen.add(files, arePasted)
      this.#picker.value = ""
    } catch (error) {
      this.#files = null
      showProblem(sentenceOf(error))
    }
  }

  /** Sends what is written, unless it is too long, once its files have arrived. */
  async #submit() {
    if (this.turn || this.#measure(true)) return
    const files = await this.#filesChosen()
    if (files === null || (files && !await files.haveArrived())) return
    const instead = fieldsOf(this.#form).instead.value
    if (this.turn || !this.#field.value.trim()) return
    this.#ask({ text: this.#field.value, isTyped: true, files: files?.take(), instead })
  }

  /** What takes the files of this question; undefined where there are none, null if it fails. */
  async #filesChosen() {
    const isLeft = this.#picker?.value && !this.#files
    if (isLeft) await this.#attach(this.#picker.files)
    const isLeftAgain = this.#picker?.value && !this.#files
    // Without their module, the form itself takes the files along.
    if (isLeftAgain && navigator.onLine !== false && this.#field.value.trim()) this.#form.submit()
    if (isLeftAgain) return null
    return this.#files?.catch(() => null)
  }

  #ask(question) {
    if (this.turn || !question.text.trim()) return
    new Turn(this).ask(question, this.#leaving.signal)
  }

  /** Grows with the text, and counts it near the limit. Returns the characters too many. */
  #measure(isSending) {
    grow(this.#field)
    return showRoom(this.querySelector(".counter"), this.#field.value, isSending)
  }
}

/** A field becomes as high as its text, where style sheets cannot say so. */
function grow(field) {
  if (globalThis.CSS?.supports?.("field-sizing", "content")) return
  field.style.height = "auto"
  field.style.height = `${field.scrollHeight}px`
}

/** iOS lays its keyboard over the page and pushes the page up; this keeps the page above it. */
function stayAboveKeyboard(viewport, signal) {
  const root = document.documentElement
  const fit = () => {
    const isCovered = viewport.scale === 1 && innerHeight - viewport.height > 80
    if (isCovered) root.style.setProperty("--height", `${viewport.height}px`)
    else root.style.removeProperty("--height")
    if (isCovered) scrollTo(0, 0)
  }
  viewport?.addEventListener("resize", fit, { signal })
}

customElements.define("chat-composer", ChatComposer)
