// The files of the next question: checked, sent ahead one after the other, taken along at the end.

import { announce, fieldsOf, join, Refused, showProblem } from "./page.js"

const PREVIEW_PX = 88
const MAX_NAME = 200

/** Why a file may not go along: the name of a sentence, or "". */
export function refusal(name, size, count, { accept, most, mostBytes }) {
  const ending = name.slice(name.lastIndexOf(".")).toLowerCase()
  if (!accept.split(",").includes(ending)) return "wrongKind"
  if (size > Number(mostBytes)) return "tooLarge"
  return count >= Number(most) ? "tooMany" : ""
}

/** A name that every system takes: macOS puts rare blanks into those of its screenshots. */
export const tidyName = name =>
  name.replace(/\s/g, " ").replace(/[/\\:\p{C}]/gu, "-").slice(-MAX_NAME)

/** Browsers call every picture from the clipboard the same. */
export const isNameless = ({ name, type }) =>
  type.startsWith("image/") && /^(image\.\w+)?$/.test(name)

export const pictureName = (type, number) =>
  `image-${number}.${type.slice(6).replace("jpeg", "jpg")}`

export class Files {
  #list
  #form
  #sendButton
  #items = []
  #sending = Promise.resolve()
  #drawing = Promise.resolve()
  #complaints = []
  #pastedCount = 0

  constructor(composer) {
    this.#list = composer.querySelector(".chosen")
    this.#form = composer.querySelector("form")
    this.#sendButton = composer.querySelector(".send")
    this.#list.addEventListener("click", ({ target }) => {
      const button = target.closest("button")
      if (button) this.#remove(this.#items.find(({ element }) => element.contains(button)))
    })
  }

  /** Takes those that may go along, and says why the others may not. */
  add(files, arePasted = false) {
    const { most, mostBytes } = this.#list.dataset
    const rules = { most, mostBytes, accept: fieldsOf(this.#form).files.accept }
    this.#complaints = []
    const begun = []
    for (const file of files) {
      const name = arePasted ? this.#nameOfPasted(file) : tidyName(file.name)
      // Whoever adds a file again does so because it was not sent.
      for (const item of this.#items.filter(isFailed)) if (item.name === name) this.#drop(item)
      const reason = refusal(name, file.size, this.#items.length, rules)
      if (reason) this.#complaints.push(this.#sentence(reason, name))
      else begun.push(this.#begin(file, name))
    }
    announce("", join(...begun))
    showProblem(this.#complaints.join("\n"))
  }

  /** Waits for all of them, unless Esc ends that. Whether all have arrived. */
  async haveArrived() {
    const isSending = () => this.#items.some(({ element }) => element.dataset.state === "sending")
    if (isSending()) announce("", this.#list.dataset.sending)
    this.#sendButton.setAttribute("aria-busy", "true")
    while (isSending()) await this.#sending
    const isWanted = this.#sendButton.hasAttribute("aria-busy")
    this.#sendButton.removeAttribute("aria-busy")
    const failed = this.#items.filter(isFailed)
    if (failed.length) {
      showProblem(failed.map(({ name }) => this.#sentence("notSent", name)).join("\n"))
    }
    return isWanted && !failed.length
  }

  /** Hands them over to a question; each can be put back. */
  take() {
    return [...this.#items].map(item => this.#drop(item))
  }

  #nameOfPasted(file) {
    return isNameless(file) ? pictureName(file.type, ++this.#pastedCount) : tidyName(file.name)
  }

  /** Sends a file ahead; the sentence about it. */
  #begin(file, name) {
    const element = document.getElementById("attachment").content.firstElementChild.cloneNode(true)
    element.querySelector(".file-name").textContent = name
    for (const control of element.querySelectorAll("[data-named]")) {
      control.title = control.dataset.named.replace("%s", () => name)
    }
    const item = { file, name, element, putBack: () => this.#show(item) }
    this.#show(item)
    this.#sending = this.#sending.then(() => this.#sendAhead(item))
    this.#drawing = this.#drawing.then(() => drawPreview(file, element.querySelector(".preview")))
    return element.querySelector("progress").title
  }

  async #sendAhead(item) {
    if (!this.#items.includes(item)) return
    const { dataset } = item.element
    const progress = item.element.querySelector("progress")
    const report = share => { progress.value = share }
    try {
      // Not fetch(): it would not say how far it has come.
      item.request = new XMLHttpRequest()
      item.id = await upload(item, fieldsOf(this.#form).agent.value, report)
      dataset.state = "sent"
    } catch (error) {
      dataset.state = "failed"
      if (!this.#items.includes(item)) return
      const reason = error instanceof Refused ? error.message : ""
      this.#complaints.push(`${this.#sentence("notSent", item.name)} ${reason}`)
      showProblem(this.#complaints.join("\n"))
    }
  }

  #sentence(reason, name) {
    return this.#list.dataset[reason].replace("%s", () => name)
  }

  #show(item) {
    this.#items.push(item)
    this.#list.append(item.element)
    this.#list.hidden = false
  }

  #drop(item) {
    this.#items = this.#items.filter(other => other !== item)
    item.element.remove()
    this.#list.hidden = !this.#items.length
    return item
  }

  #remove(item) {
    const next = item.element.nextElementSibling ?? item.element.previousElementSibling
    this.#drop(item)
    item.request?.abort()
    if (isFailed(item)) showProblem("")
    const heir = next?.querySelector("button") ?? fieldsOf(this.#form).message
    heir.focus({ preventScroll: true })
  }
}

const isFailed = ({ element }) => element.dataset.state === "failed"

/** Sends one file; its id. `report` is called with the share of it that has gone. */
function upload({ file, name, request }, agent, report) {
  const body = new FormData()
  body.append("agent", agent)
  body.append("file", file, name)
  return new Promise((resolve, reject) => {
    request.open("POST", "/files")
    request.setRequestHeader("Accept", "application/json")
    request.responseType = "json"
    request.upload.onprogress = ({ loaded, total }) => report(loaded / (total || Infinity))
    request.onload = () => {
      const { id, error } = request.response ?? {}
      // Not by the id: that of an error is the request's.
      if (request.status === 201) resolve(id)
      else if (error) reject(new Refused(error, request.status))
      else reject(new Error(`status ${request.status}`))
    }
    request.onerror = reject
    request.onabort = reject
    request.send(body)
  })
}

/** Draws a square from the middle of a picture. */
async function drawPreview(file, place) {
  if (!file.type.startsWith("image/")) return
  try {
    const picture = await createImageBitmap(file)
    const { width, height } = picture
    const side = Math.min(width, height)
    const canvas = document.createElement("canvas")
    canvas.width = PREVIEW_PX
    canvas.height = PREVIEW_PX
    const square = [(width - side) / 2, (height - side) / 2, side, side]
    canvas.getContext("2d").drawImage(picture, ...square, 0, 0, PREVIEW_PX, PREVIEW_PX)
    picture.close()
    place.textContent = ""
    place.append(canvas)
  } catch {
    // An old browser, or a kind that it cannot draw: the sign stays.
  }
}
