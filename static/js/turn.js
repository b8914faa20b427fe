// One turn: what the events of an answer mean for the page around it, and the button that stops it.

import { settleFocus } from "./scroll.js"

/** Texts, one below the other. */
export const join = (...texts) => texts.filter(Boolean).join("\n")

/** Where what is written is kept: with the answer it asks anew, the conversation, the agent to begin one with. */
export const keyOf = ({ elements: { instead, conversation_id: place, agent } }) => instead.value || place.value || agent.value

export class Turn {
  #composer
  #transcript = document.querySelector("chat-transcript")
  #typed = { key: "", text: "" } // until it is accepted
  #isStopWished = false

  constructor(composer, exchange) {
    this.exchange = exchange
    this.#composer = composer
    composer.turn = this
  }

  /** What was typed under this key and is not accepted yet. */
  pending(key) { return key === this.#typed.key ? this.#typed.text : "" }

  /** Asks, and reads the answer. A question that is refused comes back to where it was written. */
  async ask({ text, isTyped, files = [], instead }, signal) {
    const composer = this.#composer
    const form = composer.querySelector("form")
    const key = keyOf(form)
    const [agent, place] = ["agent", "conversation_id"].map(name => form.elements[name].value)
    const question = { message: text, agent, conversation_id: place || undefined }
    if (instead) question.instead = instead
    else if (form.elements.after.value) question.after = form.elements.after.value
    if (files.length) question.files = files.map(one => one.id)
    this.exchange = this.#transcript.begin(text, files, instead)
    tell("")
    if (isTyped) {
      this.#typed = { key, text }
      composer.write("")
      composer.keep()
      if (instead) composer.edit(null)
    }
    settleFocus()
    try {
      const { ask } = await import("./stream.js")
      await this.read(ask(question, signal), () => {
        this.#typed = {}
        composer.keep(key, "")
        composer.keep()
        if (isTyped) import("./draft.js").then(drafts => drafts.forget(text))
      })
    } catch (error) {
      if (signal.aborted) return
      this.#transcript.remove(this.exchange)
      files.forEach(one => one.putBack())
      await this.#giveBack(text, isTyped, instead)
      // The conversation is nobody's by now: a new one begins with what was meant for it.
      if (isTyped && [401, 404].includes(error.status)) import("./draft.js").then(drafts => drafts.add(agent, text))
      tell(sentenceOf(error))
    }
  }

  /** Reads the answer to its end. Raises whatever kept the question from being accepted; what comes later, the answer tells. */
  async read(events, accepted = () => {}) {
    this.#showStop(true)
    announce("answering")
    try {
      for await (const event of events) {
        const isNews = !this.#id
        this.#transcript.take(this.exchange, event)
        if (event.type === "turn") this.#settle(event.data.conversation_id)
        if (isNews && this.#id) accepted()
        if (isNews && this.#isStopWished) this.stop()
      }
    } catch (error) {
      announce()
      if (!this.#id) throw error
      this.#transcript.take(this.exchange, { type: "error", data: { error: sentenceOf(error) } })
    } finally {
      this.#composer.turn = null
      this.#showStop(false)
    }
    const { state } = this.exchange.dataset
    const words = this.exchange.querySelector(".words")
    const isShort = state === "done" && words.textContent.length <= 300 // of a long one, only that it is there is read out
    announce(state === "done" ? "ready" : state, isShort && words.innerText.trim() || undefined)
  }

  /** Reads on an answer that was asked for before. */
  async resume(signal) {
    const { messageId: id, lastEventId: last } = this.exchange.dataset
    const { follow } = await import("./stream.js")
    return this.read(follow(id, last, signal))
  }

  /** Asks the answer to end, as soon as it has begun. */
  async stop() {
    const button = this.#composer.querySelector(".stop")
    this.#isStopWished = true
    if (document.activeElement === button) settleFocus() // a disabled button would lose it to nobody
    button.disabled = true
    if (!this.#id) return
    const options = { method: "POST", headers: { Accept: "application/json" } }
    const response = await fetch(`/chat/${this.#id}/stop`, options).catch(() => null)
    if (!response?.ok) button.disabled = false
  }

  async #giveBack(text, isTyped, instead) {
    const { value } = document.getElementById("question")
    const write = () => this.#composer.write(join(text, value))
    if (isTyped && instead) await this.#composer.edit({ message: text, answer: instead }).catch(write)
    else if (isTyped || (!instead && !value)) write()
    this.#composer.keep()
  }

  #settle(id) {
    const place = this.#composer.querySelector("[name=conversation_id]")
    const title = place.value ? "" : this.exchange.querySelector(".question-text").textContent
    place.value = id
    history.replaceState(null, "", `/c/${id}`) // at once: a reload must not come before it
    place.form.elements.after.value = "" // from here on this branch is the newest
    import("./conversation.js").then(({ enter }) => enter(id, title.slice(0, 80)))
  }

  get #id() { return this.exchange.dataset.messageId }
  #showStop(isRunning) {
    const [stop, send] = [".stop", ".send"].map(one => this.#composer.querySelector(one))
    const hadFocus = [stop, send].includes(document.activeElement)
    stop.hidden = !isRunning
    stop.disabled = false
    send.hidden = isRunning
    if (hadFocus) settleFocus()
  }
}

export const problem = () => document.querySelector("chat-composer [role=alert]")

/** What a person is told about an error. */
export const sentenceOf = error => error.status ? error.message : problem().dataset.unreachable

/** Shows what went wrong, or takes it back. */
export const tell = sentence => Object.assign(problem(), { textContent: sentence, hidden: !sentence })

/** Tells screen readers, by a sentence of the template's or in so many words. */
export function announce(name, words) {
  const status = document.querySelector("body > [role=status]")
  status.textContent = words ?? status.dataset[name] ?? ""
}

