// What stands beside an answer's text: thoughts, steps, media, sources, follow-ups.

import { copyOf, formatMoment } from "./page.js"

/** An address of the platform's, if it is one that a click may follow. */
const isWeb = url => /^https?:\/\//i.test(url ?? "")

/** Shows the names of files that come with a question. */
export function listFiles(list, files) {
  list.textContent = ""
  for (const { name } of files) {
    append(list, copyOf("file")).querySelector(".file-name").textContent = name
  }
}

/** Shows what an event adds beside the text. */
export function showBeside(exchange, { type, data }) {
  switch (type) {
    case "thought": return addThought(exchange, data)
    case "tool": return showTool(exchange, data)
    case "media": return addMedia(exchange, data)
    case "citation": return addCitation(exchange, data)
    case "suggestion": return addSuggestion(exchange, data)
    case "details": return showDetails(exchange, data)
  }
}

/** The line of an answer: when it was asked, how many seconds it took, how many tokens. */
function showDetails(exchange, { asked_at: askedAt, seconds, tokens }) {
  const time = exchange.querySelector(".facts time")
  if (askedAt) {
    time.dateTime = askedAt
    time.textContent = formatMoment(askedAt)
  }
  const took = exchange.querySelector(".took")
  if (seconds !== undefined) took.textContent = took.dataset.text.replace("%s", seconds.toFixed(1))
  const count = exchange.querySelector(".tokens")
  const number = tokens && new Intl.NumberFormat(document.documentElement.lang).format(tokens)
  if (number) count.textContent = count.dataset.text.replace("%s", number)
}

/** An answer that is read again from its start begins with nothing beside it. */
export function clearBeside(exchange) {
  exchange.querySelector(".thought-text").textContent = ""
  for (const list of exchange.querySelectorAll(".tools, .media, .citations ol, .suggestions")) {
    list.textContent = ""
  }
}

function append(list, item) {
  list.append(item)
  list.hidden = false
  return item
}

function addThought(exchange, { text, seconds }) {
  exchange.querySelector(".thought").hidden = false
  exchange.querySelector(".thought-text").append(text)
  const title = exchange.querySelector(".thought-title")
  if (seconds) title.textContent = title.dataset.thoughtFor.replace("%s", seconds)
}

function showTool(exchange, tool) {
  const list = exchange.querySelector(".tools")
  const shown = [...list.children].find(({ dataset }) => dataset.id === tool.id)
  const item = shown ?? append(list, copyOf("tool"))
  Object.assign(item.dataset, { id: tool.id, state: tool.state })
  item.querySelector(".tool-name").textContent = tool.name
  if (tool.input) item.querySelector(".tool-input").textContent = tool.input
  if (tool.output) item.querySelector(".tool-output").textContent = tool.output
  item.firstElementChild.classList.toggle("empty", !item.querySelector("dd:not(:empty)"))
}

/** `picture` is where our own server has it, if it is one that may be shown. */
function addMedia(exchange, { kind, url, picture }) {
  if (!picture && !isWeb(url)) return
  const list = exchange.querySelector(".media")
  const address = picture ?? url
  const { href } = new URL(address, location.href)
  if ([...list.querySelectorAll("a")].some(link => link.href === href)) return
  const template = `media-${picture ? "picture" : kind}`
  const isKnown = document.getElementById(template) !== null
  const item = append(list, copyOf(isKnown ? template : "media-file"))
  item.querySelector("a").href = address
  item.querySelector("img")?.setAttribute("src", address)
}

function addCitation(exchange, { title, url, text }) {
  const details = exchange.querySelector(".citations")
  const key = `${url} ${title} ${text}`
  if ([...details.querySelectorAll("li")].some(({ dataset }) => dataset.key === key)) return
  const item = append(details.querySelector("ol"), copyOf("citation"))
  item.dataset.key = key
  const link = item.querySelector(".citation-title")
  link.textContent = title || url || ""
  link.hidden = !link.textContent
  link.classList.toggle("link", isWeb(url))
  if (isWeb(url)) link.href = url
  const passage = item.querySelector(".citation-text")
  passage.textContent = text ?? ""
  passage.hidden = !text
  details.hidden = false
}

function addSuggestion(exchange, { text }) {
  const list = exchange.querySelector(".suggestions")
  if ([...list.querySelectorAll("button")].some(({ value }) => value === text)) return
  const button = append(list, copyOf("suggestion")).querySelector("button")
  button.value = text
  button.textContent = text
}
