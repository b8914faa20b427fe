// What stands beside an answer's words: thoughts, steps, media, sources, follow-ups.

import { copyOf } from "./transcript.js"

/** An address of the platform's, if it is one that a click may follow. */
const isWeb = url => /^https?:\/\//i.test(url ?? "")

/** Shows the names of files that come with a question. */
export function listFiles(list, files) {
  list.textContent = ""
  for (const { name } of files) add(list, copyOf("file")).querySelector(".file-name").textContent = name
}

function add(list, item) {
  list.append(item)
  list.hidden = false
  return item
}

export function thought(exchange, { text, seconds }) {
  exchange.querySelector(".thought").hidden = false
  exchange.querySelector(".thought-text").append(text)
  const title = exchange.querySelector(".thought-title")
  if (seconds) title.textContent = title.dataset.thoughtFor.replace("%s", seconds)
}

export function tool(exchange, step) {
  const list = exchange.querySelector(".tools")
  const item = [...list.children].find(one => one.dataset.id === step.id) ?? add(list, copyOf("tool"))
  Object.assign(item.dataset, { id: step.id, state: step.state })
  item.querySelector(".tool-name").textContent = step.name
  for (const side of ["input", "output"]) {
    if (step[side]) item.querySelector(`.tool-${side}`).textContent = step[side]
  }
  item.firstElementChild.classList.toggle("empty", !item.querySelector("dd:not(:empty)"))
}

/** `picture` is where our own server has it, if it is one that may be shown. */
export function media(exchange, { kind, url, picture }) {
  const list = exchange.querySelector(".media")
  const address = picture ?? url
  if (!picture && !isWeb(url)) return
  if ([...list.querySelectorAll("a")].some(link => link.href === new URL(address, location.href).href)) return
  const sort = picture ? "picture" : kind
  const item = add(list, copyOf(document.getElementById(`media-${sort}`) ? `media-${sort}` : "media-file"))
  item.querySelector("a").href = address
  item.querySelector("img")?.setAttribute("src", address)
}

export function citation(exchange, { title, url, text }) {
  const details = exchange.querySelector(".citations")
  const known = [...details.querySelectorAll("li")].some(one => one.dataset.key === `${url} ${title} ${text}`)
  if (known) return
  const item = add(details.querySelector("ol"), copyOf("citation"))
  item.dataset.key = `${url} ${title} ${text}`
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

export function suggestion(exchange, { text }) {
  const list = exchange.querySelector(".suggestions")
  if ([...list.querySelectorAll("button")].some(one => one.value === text)) return
  const button = add(list, copyOf("suggestion")).querySelector("button")
  button.value = button.textContent = text
}

/** An exchange has got its id; whoever comes anew is told everything anew. */
export function identify(exchange, isAnew) {
  const id = exchange.dataset.messageId
  exchange.id = `m-${id}`
  exchange.querySelector("form [name=instead]").value = id
  exchange.querySelector("[data-edit]").href = `?edit=${id}`
  const time = exchange.querySelector("time")
  time.textContent ||= new Date().toLocaleString(document.documentElement.lang, { dateStyle: "short", timeStyle: "short" })
  if (!isAnew) return
  exchange.querySelector(".thought-text").textContent = ""
  for (const list of exchange.querySelectorAll(".tools, .media, .citations ol, .suggestions")) list.textContent = ""
}

/** Says for how many seconds the agent has been thinking, until it speaks. */
export function count(exchange) {
  const place = exchange.querySelector(".progress")
  const began = Date.now() - 1000 * exchange.dataset.age
  const timer = setInterval(() => {
    if (exchange.dataset.state !== "running") clearInterval(timer)
    else if (place.dataset.state === "waiting") {
      const seconds = Math.round((Date.now() - began) / 1000)
      place.textContent = `${place.dataset.waiting} ${place.dataset.seconds.replace("%s", seconds)}`
    }
  }, 1000)
}

/** Offers the question of an exchange to be asked in other words. */
export function edit(exchange) {
  const message = exchange.querySelector(".question-text").textContent
  document.querySelector("chat-composer").edit({ message, answer: exchange.dataset.messageId })
}

/** Takes an answer, and all that follows it, out of the list: the exchange is its new version. What was taken. */
export function replace(list, answer, exchange) {
  const all = [...list.children]
  const first = all.find(one => one.dataset.messageId === answer)
  if (!first) return []
  const replaced = all.slice(all.indexOf(first), all.indexOf(exchange))
  replaced.forEach(one => one.remove())
  const number = Number(first.querySelector("[data-number]")?.textContent.split("/")[1] ?? 1) + 1
  const versions = exchange.querySelector(".versions")
  versions.querySelector("[data-number]").textContent = `${number} / ${number}`
  versions.querySelector("[data-previous]").href = `?at=${answer}#m-${answer}`
  return replaced
}
