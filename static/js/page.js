// What every module needs of the page: its templates, its sentences, its field, modules on demand.

/** A copy of what a <template> holds. */
export const copyOf = id =>
  document.importNode(document.getElementById(id).content.firstElementChild, true)

/** The server's refusal of a request, with its sentence for the person. */
export class Refused extends Error {
  constructor(sentence, status) {
    super(sentence)
    this.status = status
  }
}

/** Where the visitor reads what went wrong; its data-* attributes hold the sentences. */
export const problem = () => document.getElementById("problem")

/** Shows what went wrong, in a sheet over the page if there is one; an empty sentence takes it back. */
export const showProblem = sentence => {
  const place = dialogInFront()?.querySelector(".problem") ?? problem()
  Object.assign(place, { textContent: sentence, hidden: !sentence })
}

/** What a person reads about an error. */
export const sentenceOf = error => error.status ? error.message : problem().dataset.unreachable

/** Tells screen readers, by a sentence of the template's or by this text. */
export function announce(name, text) {
  const status = document.getElementById("status")
  status.textContent = text || status.dataset[name] || ""
}

/** Sends a form as the browser would by its button, which names a value of its own. */
export function sendPlainly(form, { name, value }) {
  if (name) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }))
  }
  form.submit()
}

/** Texts, one below the other. */
export const join = (...texts) => texts.filter(Boolean).join("\n")

/** The fields of a form, by name. For its own `elements` browsers look through the whole page. */
export const fieldsOf = form =>
  Object.fromEntries(Array.from(form.querySelectorAll("[name]"), field => [field.name, field]))

/** The key of a form's draft: the answer it asks anew, else its conversation, else its agent. */
export function keyOf(form) {
  const { instead, conversation_id: place, agent } = fieldsOf(form)
  return instead.value || place.value || agent.value
}

/** The open dialogue, if any. All are children of the body; to look everywhere takes long. */
export const dialogInFront = () =>
  Array.from(document.body.children).find(child => child.matches("dialog[open]"))

const touchOnly = globalThis.matchMedia?.("(pointer: coarse) and (hover: none)")
// Asked each time, it would have the whole page laid out for the answer.
let isTouchOnly = touchOnly?.matches === true
touchOnly?.addEventListener?.("change", ({ matches }) => { isTouchOnly = matches })

/** Fingers and nothing else: a laptop with a touch screen is no phone. */
export const isPhone = () => isTouchOnly

/** On a desk the next question can be typed at once; a phone's keyboard would hide the answer. */
export function focusField() {
  const field = document.getElementById("question")
  if (isPhone()) field.blur()
  else field.focus({ preventScroll: true })
}

/** Whether Esc has another meaning here: it closes a picture and empties a search. */
export const isEscapeTaken = ({ type }) =>
  type === "search" || dialogInFront() !== undefined

/** Whether keys without Ctrl or ⌘ do something outside of fields. */
export const areSingleKeysOn = () => !document.cookie.includes("single-keys=off")

/** A point in time, ISO 8601, as the reader's own zone and the page's language have it. */
export function formatMoment(moment, isClock = false) {
  const format = isClock ? { timeStyle: "short" } : { dateStyle: "short", timeStyle: "short" }
  return new Date(moment).toLocaleString(document.documentElement.lang, format)
}

// A page that nobody sees has no pictures.
const LONGEST_PICTURE_MS = 100

/** Resolves when the next picture of the page has been shown. */
export const nextPicture = () => new Promise(resolve => {
  requestAnimationFrame(() => setTimeout(resolve))
  setTimeout(resolve, LONGEST_PICTURE_MS)
})

/** Does what the server cannot: the reader's own time zone, the colours of code. */
export function refine(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.textContent = formatMoment(time.dateTime, "clock" in time.dataset)
  }
  nextPicture().then(() => finishCode(root))
}

/** Blocks of code in an element get their colours and, where there is one, a button that copies. */
export function finishCode(root) {
  const hasButton = document.getElementById("copy-code") !== null
  for (const code of hasButton ? root.querySelectorAll(".code") : []) {
    if (!code.querySelector("[data-copy]")) code.append(copyOf("copy-code"))
  }
  const elements = [...root.querySelectorAll("code[class^=language-]")]
  if (!elements.length) return
  load("./colouring.js").then(({ colourCode }) => colourCode(elements), () => {})
}

// Nothing waits longer than this for its looks.
const STYLES_MS = 5000
let styles

/** Brings the styles that a page without an answer begins without. */
export function bringStyles() {
  styles ??= fetchStyles(document.querySelector("[data-rest]")?.dataset.rest)
  return styles
}

async function fetchStyles(href) {
  if (!href) return
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href })
  await new Promise(resolve => {
    link.onload = resolve
    // The next question tries again.
    link.onerror = () => {
      styles = undefined
      link.remove()
      resolve()
    }
    setTimeout(resolve, STYLES_MS)
    document.head.append(link)
  })
}

/** A choice of this browser's, for a year; a cookie, so that the server's first byte has it. */
export function remember(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax`
}

const SLOW_MS = 20_000
const modules = new Map()
const failures = new Map()

/** A module on demand. It may import only what site.js exports, which came with the page. */
export function load(path) {
  if (!modules.has(path)) modules.set(path, fetchModule(path))
  return modules.get(path)
}

async function fetchModule(path) {
  const count = failures.get(path) ?? 0
  // Browsers remember a module that failed to load. With another query it is another module.
  const address = count ? `${path}?try=${count}` : path
  let timer
  const slow = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${path} does not come`)), SLOW_MS)
  })
  try {
    const [module] = await Promise.race([Promise.all([import(address), bringStyles()]), slow])
    return module
  } catch (error) {
    failures.set(path, count + 1)
    modules.delete(path)
    throw error
  } finally {
    clearTimeout(timer)
  }
}
