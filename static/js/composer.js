// The form: Enter sends (not while composing Chinese), Shift+Enter breaks the line, Esc stops.

import { stayAboveKeyboard } from "./scroll.js"
import { ask, follow, Refused, send } from "./stream.js"
import { listFiles } from "./transcript.js"

// Safari ends a composition before it tells of the Enter that ended it.
const AFTER_COMPOSING_MS = 50

const isTouchOnly = matchMedia("(pointer: coarse) and (hover: none)")

class ChatComposer extends HTMLElement {
  #leaving = new AbortController()
  #composedAt = -Infinity
  #isStopWished = false
  #exchange = null

  connectedCallback() {
    const { signal } = this.#leaving
    document.addEventListener("submit", this, { signal })
    document.addEventListener("keydown", this, { signal })
    document.addEventListener("click", this, { signal })
    this.addEventListener("compositionend", this, { signal })
    this.addEventListener("input", this, { signal })
    this.addEventListener("change", this, { signal })
    stayAboveKeyboard(globalThis.visualViewport, signal)
    if (!isTouchOnly.matches) this.#field.focus({ preventScroll: true })
    this.#grow()
    const running = this.#transcript.running
    if (running) this.#read(running, follow(running.dataset.messageId, running.dataset.lastEventId, signal))
  }

  disconnectedCallback() { this.#leaving.abort() }

  handleEvent(event) { this[`on${event.type}`](event) }

  onsubmit(event) {
    const isTyped = event.target === this.#form
    if (!isTyped && !("ask" in event.target.dataset)) return
    event.preventDefault()
    const question = event.target.elements.message.value
    if (question.trim() && !this.#exchange) this.#ask(question, isTyped)
  }

  onkeydown(event) {
    if (event.key === "Escape" && !event.isComposing) this.#escape()
    if (event.key !== "Enter" || event.target !== this.#field) return
    const isComposing = event.isComposing || event.keyCode === 229
      || event.timeStamp - this.#composedAt < AFTER_COMPOSING_MS
    if (isComposing || event.shiftKey || event.altKey || isTouchOnly.matches) return
    event.preventDefault()
    if (!this.#exchange) this.#form.requestSubmit(this.#send)
  }

  onclick(event) {
    if (event.target.closest(".stop")) this.#stop()
    if (event.target.closest("[data-drop-files]")) this.#choose([])
    if (event.target.closest("[data-theme-switch]")) import("./theme.js").then(theme => theme.change())
    this.#enlarge(event)
  }

  /** A picture of ours opens large on the page; a click that asks for a tab of its own still gets one. */
  #enlarge(event) {
    const link = event.target.closest(".picture, .image:has(img)")
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    import("./lightbox.js").then(lightbox => lightbox.show(link))
  }

  oncompositionend(event) { this.#composedAt = event.timeStamp }

  oninput() { this.#grow() }

  onchange(event) { if (event.target === this.#picker) this.#choose(this.#picker.files) }

  get #form() { return this.querySelector("form") }
  get #field() { return this.querySelector("textarea") }
  get #picker() { return this.querySelector("[type=file]") }
  get #send() { return this.querySelector(".send") }
  get #problem() { return this.querySelector("[role=alert]") }
  get #transcript() { return document.querySelector("chat-transcript") }

  async #ask(question, isTyped) {
    const { agent, conversation_id } = this.#form.elements
    const { signal } = this.#leaving
    const files = isTyped ? [...this.#picker?.files ?? []] : []
    const exchange = this.#transcript.begin(question, files)
    this.#problem.hidden = true
    if (isTyped) this.#write("")
    this.#settleFocus()
    const asked = { message: question, agent: agent.value, conversation_id: conversation_id.value || undefined }
    await this.#read(exchange, sendAndAsk(asked, files, signal))
    if (files.length && exchange.isConnected) this.#choose([])
  }

  /** Shows the chosen files, unless one is too large. An empty choice takes them all back. */
  #choose(files) {
    const chosen = this.querySelector(".chosen")
    if (!chosen) return
    const isTooLarge = [...files].some(file => file.size > Number(chosen.dataset.mostBytes))
    if (isTooLarge || !files.length) this.#picker.value = ""
    listFiles(chosen.firstElementChild, this.#picker.files)
    chosen.hidden = !this.#picker.files.length
    this.#problem.hidden = !isTooLarge
    if (isTooLarge) this.#problem.textContent = chosen.dataset.tooLarge
  }

  async #read(exchange, events) {
    this.#exchange = exchange
    this.#isStopWished = false
    this.#showStop(true)
    this.#announce("answering")
    try {
      for await (const event of events) {
        this.#transcript.take(exchange, event)
        if (event.type === "turn") this.#begun(event.data, exchange)
      }
    } catch (error) {
      if (!this.#leaving.signal.aborted) this.#fail(exchange, error)
    }
    this.#exchange = null
    this.#showStop(false)
    this.#announceEnd(exchange)
  }

  #begun({ conversation_id }, exchange) {
    const { conversation_id: place } = this.#form.elements
    if (!place.value) this.#listConversation(conversation_id, exchange)
    place.value = conversation_id
    history.replaceState(null, "", `/c/${conversation_id}`)
    const forget = document.querySelector("form[data-forget]")
    forget.action = `/c/${conversation_id}/clear`
    forget.hidden = false
    if (this.#isStopWished) this.#stop()
  }

  #listConversation(id, exchange) {
    const item = document.getElementById("conversation").content.firstElementChild.cloneNode(true)
    item.querySelector("a").href = `/c/${id}`
    const title = exchange.querySelector(".question-text").textContent.slice(0, 80)
    item.querySelector("span").textContent = title
    document.title = `${title} · ${document.title}`
    document.getElementById("conversations").prepend(item)
  }

  /** Before the answer began, the question comes back to be sent again; later, the answer says what happened. */
  #fail(exchange, error) {
    const sentence = error instanceof Refused ? error.message : this.#problem.dataset.unreachable
    if (exchange.dataset.messageId) {
      this.#transcript.take(exchange, { type: "error", data: { error: sentence } })
      return
    }
    if (!this.#field.value) this.#write(exchange.querySelector(".question-text").textContent)
    this.#transcript.remove(exchange)
    this.#problem.textContent = sentence
    this.#problem.hidden = false
  }

  async #stop() {
    const id = this.#exchange?.dataset.messageId
    const button = this.querySelector(".stop")
    this.#isStopWished = true
    if (document.activeElement === button) this.#settleFocus() // a disabled button would lose it to nobody
    button.disabled = true
    if (!id) return
    const response = await fetch(`/chat/${id}/stop`, { method: "POST", headers: { Accept: "application/json" } })
      .catch(() => null)
    if (!response?.ok) button.disabled = false
  }

  #escape() {
    const drawer = document.getElementById("drawer")
    if (drawer.checked) drawer.checked = false
    else if (this.#exchange) this.#stop()
  }

  #showStop(isRunning) {
    const stop = this.querySelector(".stop")
    const hadFocus = [stop, this.#send].includes(document.activeElement)
    stop.hidden = !isRunning
    stop.disabled = false
    this.#send.hidden = isRunning
    if (hadFocus) this.#settleFocus()
  }

  /** On a desk the next question can be typed at once; on a phone the keyboard would cover the answer. */
  #settleFocus() {
    if (isTouchOnly.matches) this.#field.blur()
    else this.#field.focus({ preventScroll: true })
  }

  #write(text) {
    this.#field.value = text
    this.#grow()
  }

  #grow() {
    if (CSS.supports("field-sizing", "content")) return
    this.#field.style.height = "auto"
    this.#field.style.height = `${this.#field.scrollHeight}px`
  }

  #announce(name) {
    const status = document.querySelector("body > [role=status]")
    status.textContent = status.dataset[name] ?? ""
  }

  /** A short answer is read out; of a long one, only that it is there. */
  #announceEnd(exchange) {
    const { state } = exchange.dataset
    const said = state === "done" ? this.#transcript.textOf(exchange) : ""
    if (said && said.length <= 300) document.querySelector("body > [role=status]").textContent = said
    else this.#announce(state === "done" ? "ready" : state)
  }
}

async function* sendAndAsk(question, files, signal) {
  const ids = []
  for (const file of files) ids.push(await send(file, question.agent, signal))
  yield* ask({ ...question, ...(ids.length ? { files: ids } : {}) }, signal)
}

customElements.define("chat-composer", ChatComposer)
