// One turn: a question goes out, its answer comes in, and the page around them follows.

import { enterConversation, titleOf } from "./conversation.js"
import { forgetDraft, prependDraft } from "./drafts.js"
import {
  announce, bringStyles, fieldsOf, focusField, join, keyOf, nextPicture, sentenceOf, showProblem,
} from "./page.js"
import { ask, follow } from "./stream.js"

// Of a longer answer, screen readers hear only that it is there.
const MAX_READ_OUT = 300

export class Turn {
  #composer
  #transcript = document.querySelector("chat-transcript")
  #exchange
  // What was typed and is not accepted yet.
  #pending = { key: "", text: "" }
  #isStopRequested = false

  constructor(composer) {
    this.#composer = composer
    composer.turn = this
  }

  /** What was typed under this key and is not accepted yet. */
  pendingText(key) {
    return key === this.#pending.key ? this.#pending.text : ""
  }

  /** Asks, and reads the answer. A question that is refused comes back to where it was written. */
  async ask(question, signal) {
    const { text, isTyped, files = [], instead } = question
    const key = keyOf(this.#form)
    const request = this.#requestFor(question)
    this.#exchange = this.#transcript.addQuestion(text, files, instead)
    showProblem("")
    if (isTyped) this.#takeFromField(key, question)
    this.#showStop(true)
    // What follows takes as long, and would hold up the picture of this.
    await nextPicture()
    if (isTyped) this.#composer.keepDraft()
    focusField()
    try {
      await this.#readAnswer(ask(request, signal), () => this.#accept(key, question))
    } catch (error) {
      if (signal.aborted) return
      this.#transcript.removeQuestion(this.#exchange)
      this.#giveBack(question, request.agent, error)
    }
  }

  /** Reads on an answer that was asked for before. */
  resume(exchange, signal) {
    this.#exchange = exchange
    this.#showStop(true)
    const { messageId, lastEventId } = exchange.dataset
    return this.#readAnswer(follow(messageId, lastEventId, signal))
  }

  /** Asks the answer to end, as soon as it has begun. */
  async stop() {
    const button = this.#composer.querySelector(".stop")
    this.#isStopRequested = true
    // A disabled button would lose the focus to nobody.
    if (document.activeElement === button) focusField()
    button.disabled = true
    if (!this.#id) return
    const options = { method: "POST", headers: { Accept: "application/json" } }
    const response = await fetch(`/chat/${this.#id}/stop`, options).catch(() => null)
    if (!response?.ok) button.disabled = false
  }

  get #id() {
    return this.#exchange.dataset.messageId
  }

  get #form() {
    return this.#composer.querySelector("form")
  }

  #requestFor({ text, files = [], instead }) {
    const { agent, conversation_id: place, after } = fieldsOf(this.#form)
    const request = { message: text, agent: agent.value, conversation_id: place.value || undefined }
    if (instead) request.instead = instead
    else if (after.value) request.after = after.value
    if (files.length) request.files = files.map(({ id }) => id)
    return request
  }

  #takeFromField(key, { text, instead }) {
    this.#pending = { key, text }
    this.#composer.write("")
    if (instead) this.#composer.edit(null)
  }

  // Reads the answer to its end. Throws what kept the question from being accepted; what goes wrong
  // later is shown with the answer.
  async #readAnswer(events, accept = () => {}) {
    announce("answering")
    const styles = bringStyles()
    try {
      for await (const event of events) {
        // A question alone has its looks from the start.
        if (event.type !== "turn") await styles
        this.#apply(event, accept)
      }
    } catch (error) {
      announce()
      if (!this.#id) throw error
      this.#transcript.apply(this.#exchange, { type: "error", data: { error: sentenceOf(error) } })
    } finally {
      this.#composer.turn = null
      this.#showStop(false)
    }
    this.#announceEnd()
  }

  #apply(event, accept) {
    const isFirst = !this.#id
    this.#transcript.apply(this.#exchange, event)
    if (event.type === "turn") this.#enterConversation(event.data.conversation_id)
    if (!isFirst || !this.#id) return
    accept()
    if (this.#isStopRequested) this.stop()
  }

  #accept(key, { text, isTyped }) {
    this.#pending = { key: "", text: "" }
    this.#composer.keepDraft(key, "")
    this.#composer.keepDraft()
    if (isTyped) forgetDraft(text)
  }

  #giveBack(question, agent, error) {
    const { text, isTyped, files = [], instead } = question
    const { value } = document.getElementById("question")
    for (const file of files) file.putBack()
    if (isTyped && instead) this.#composer.edit({ message: text, answer: instead })
    else if (isTyped || (!instead && !value)) this.#composer.write(join(text, value))
    this.#composer.keepDraft()
    // The conversation is nobody's by now: a new one begins with what was meant for it.
    if (isTyped && [401, 404].includes(error.status)) prependDraft(agent, text)
    showProblem(sentenceOf(error))
  }

  #enterConversation(id) {
    const { conversation_id: place, after } = fieldsOf(this.#form)
    const question = this.#exchange.querySelector(".question-text").textContent
    const title = place.value ? "" : titleOf(question)
    place.value = id
    // At once: a reload must not come before it.
    const { pathname, search, hash } = location
    const address = `/c/${id}`
    if (pathname + search + hash !== address) history.replaceState(null, "", address)
    // From here on this branch is the newest.
    after.value = ""
    enterConversation(id, title, this.#exchange)
  }

  #announceEnd() {
    const { state } = this.#exchange.dataset
    const said = this.#exchange.querySelector(state === "failed" ? ".if-failed" : ".prose")
    const isReadOut = state !== "stopped" && said.textContent.length <= MAX_READ_OUT
    announce(state === "done" ? "ready" : state, isReadOut && said.innerText.trim())
  }

  #showStop(isRunning) {
    const stop = this.#composer.querySelector(".stop")
    const send = this.#composer.querySelector(".send")
    const hadFocus = [stop, send].includes(document.activeElement)
    stop.disabled = false
    // Not by the buttons' own attributes: to hide what has the focus has the page laid out.
    this.#form.classList.toggle("running", isRunning)
    if (hadFocus) focusField()
  }
}
