// The files of the question being written: checked, sent ahead one after the other, taken along when all have arrived.

import { Refused } from "./stream.js"
import { announce, tell } from "./turn.js"
import { draw, isNameless, pictureName, refusal, tidy, upload } from "./upload.js"

export class Files {
  #list
  #form
  #button
  #items = []
  #sending = Promise.resolve()
  #drawing = Promise.resolve()
  #complaints = []
  #pasted = 0

  constructor(composer) {
    [this.#list, this.#form, this.#button] = [".chosen", "form", ".send"].map(one => composer.querySelector(one))
    this.#list.addEventListener("click", ({ target }) => {
      const button = target.closest("button")
      if (button) this.#remove(this.#items.find(one => one.element.contains(button)))
    })
  }

  /** Takes those that may go along, and says why the others may not. */
  add(files, arePasted = false) {
    const { most, mostBytes } = this.#list.dataset
    const rules = { most, mostBytes, accept: this.#form.elements.files.accept }
    this.#complaints = []
    for (const file of files) {
      const name = arePasted && isNameless(file) ? pictureName(file.type, ++this.#pasted) : tidy(file.name)
      for (const one of this.#items.filter(one => one.name === name && isFailed(one))) this.#drop(one)
      const reason = refusal(name, file.size, this.#items.length, rules)
      if (reason) this.#complaints.push(this.#said(reason, name))
      else this.#begin(file, name)
    }
    tell(this.#complaints.join("\n"))
  }

  /** Waits for all of them, unless Esc ends that. Whether all have arrived. */
  async haveArrived() {
    const isSending = () => this.#items.some(one => one.element.dataset.state === "sending")
    if (isSending()) announce("", this.#list.dataset.sending)
    this.#button.setAttribute("aria-busy", "true")
    while (isSending()) await this.#sending
    const isWanted = this.#button.hasAttribute("aria-busy")
    this.#button.removeAttribute("aria-busy")
    const failed = this.#items.filter(isFailed)
    if (failed.length) tell(failed.map(one => this.#said("notSent", one.name)).join("\n"))
    return isWanted && !failed.length
  }

  /** Hands them over to a question; each can be put back. */
  take() { return [...this.#items].map(one => this.#drop(one)) }

  #begin(file, name) {
    const element = document.getElementById("attachment").content.firstElementChild.cloneNode(true)
    element.querySelector(".file-name").textContent = name
    for (const one of element.querySelectorAll("[data-named]")) {
      one.title = one.dataset.named.replace("%s", () => name)
      one.setAttribute("aria-label", one.title)
    }
    const item = { file, name, element, putBack: () => this.#show(item) }
    this.#show(item)
    this.#sending = this.#sending.then(() => this.#sendAhead(item))
    this.#drawing = this.#drawing.then(() => draw(file, element.querySelector(".preview")))
  }

  async #sendAhead(item) {
    if (!this.#items.includes(item)) return
    const { dataset } = item.element
    try {
      const progress = item.element.querySelector("progress")
      item.request = new XMLHttpRequest() // fetch() would not tell how far it has come
      item.id = await upload(item, this.#form.elements.agent.value, share => { progress.value = share })
      dataset.state = "sent"
    } catch (error) {
      dataset.state = "failed"
      if (!this.#items.includes(item)) return
      const why = error instanceof Refused ? error.message : ""
      this.#complaints.push(`${this.#said("notSent", item.name)} ${why}`)
      tell(this.#complaints.join("\n"))
    }
  }

  #said(reason, name) { return this.#list.dataset[reason].replace("%s", () => name) }

  #show(item) {
    this.#items.push(item)
    this.#list.append(item.element)
    this.#list.hidden = false
  }

  #drop(item) {
    this.#items = this.#items.filter(one => one !== item)
    item.element.remove()
    this.#list.hidden = !this.#items.length
    return item
  }

  #remove(item) {
    const next = item.element.nextElementSibling ?? item.element.previousElementSibling
    this.#drop(item)
    item.request?.abort()
    if (isFailed(item)) tell("")
    const heir = next?.querySelector("button") ?? this.#form.elements.message
    heir.focus({ preventScroll: true })
  }
}

const isFailed = ({ element }) => element.dataset.state === "failed"
