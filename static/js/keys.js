// Shortcuts of a desk: what to go to is looked for by typing, and the list of all keys.

import { fetchPage } from "./drawing.js"
import { announce, areSingleKeysOn, dialogInFront, load, remember } from "./page.js"

const MOST = 10
const LISTS = `[href="/agents"], [href="/conversations"]`
const SHOWN = "a:not([hidden])"
const AGENTS = `[href*="agent="]`

/** Does what a shortcut is for. */
export async function press(shortcut) {
  if (shortcut === "o") return location.assign(document.querySelector(".begin").href)
  if (dialogInFront()) return
  const { sheet, openDialog } = await load("./sheets.js")
  if (shortcut === "?") openDialog(keyList(await sheet("keys")))
  else openDialog(palette(await sheet("palette")))
}

/** With the choice whether single keys work: they are in the way of who speaks to a computer. */
function keyList(dialog) {
  const choice = dialog.querySelector("input")
  choice.checked = areSingleKeysOn()
  choice.addEventListener("change", () => remember("single-keys", choice.checked ? "on" : "off"))
  return dialog
}

/** Agents and conversations whose names hold what is typed; Enter goes to the first. */
function palette(dialog) {
  const field = dialog.querySelector("input")
  const list = dialog.querySelector("ul")
  const everywhere = dialog.querySelector("[data-everywhere]")
  const links = linksIn(document, ".sidebar a.conversation")
  const [lists, choices] = split(links, LISTS)
  const [atHand, conversations] = split(choices, AGENTS)
  let others = []
  const show = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean)
    const holds = link => words.every(word => link.textContent.toLowerCase().includes(word))
    // Whoever types may mean any agent; whoever only looks, what was latest.
    const rest = words.length ? [...others, ...conversations] : [...conversations, ...others]
    const found = [...atHand, ...rest].filter(holds).slice(0, MOST)
    list.textContent = ""
    for (const link of [...found, ...lists.filter(holds)]) list.append(item(link))
    everywhere.hidden = !words.length
    everywhere.href = `/search?q=${encodeURIComponent(field.value.trim())}`
    if (words.length) announce("", linksIn(dialog, SHOWN)[0].innerText)
  }
  field.addEventListener("input", show)
  dialog.addEventListener("keydown", event => move(event, dialog))
  show()
  agents().then(all => {
    const addresses = new Set(atHand.map(addressOf))
    others = all.filter(link => !addresses.has(addressOf(link)))
    show()
  }, () => {})
  return dialog
}

function move(event, dialog) {
  // Safari ends a composition before it reports the Enter that ended it.
  if (event.isComposing || event.keyCode === 229) return
  const links = linksIn(dialog, SHOWN)
  const at = links.indexOf(document.activeElement)
  if (event.key === "Enter" && at < 0) links[0]?.click()
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  if (!step) return
  event.preventDefault()
  const next = links[at + step]
  if (next) next.focus()
  else if (step < 0) dialog.querySelector("input").focus()
}

function item(link) {
  const element = document.createElement("li")
  const copy = link.cloneNode(true)
  copy.className = "menu-item"
  copy.querySelector(".avatar")?.classList.add("small")
  for (const part of copy.querySelectorAll("time, .line-clamp-2")) part.remove()
  element.append(copy)
  return element
}

const linksIn = (root, selector) => [...root.querySelectorAll(selector)]

const addressOf = link => link.getAttribute("href")

/** Those of the links that a selector matches, and the others. */
const split = (links, selector) => [true, false].map(
  isWanted => links.filter(link => link.matches(selector) === isWanted),
)

/** All agents of the site, from their page. */
async function agents() {
  return linksIn(await fetchPage("/agents"), ".agents a")
}
