// More of a list comes into the page: older messages above, older conversations below.

import { fetchPage } from "./drawing.js"
import { refine } from "./page.js"

/** Fetches the page that a [data-more] link leads to and puts its list where the link stands. */
export async function bringMore(link) {
  if (link.ariaBusy === "true") return
  link.ariaBusy = "true"
  try {
    insertList(link, await fetchPage(link.href))
  } catch {
    // The browser knows best how to say what is wrong.
    location.assign(link.href)
  }
}

function insertList(link, page) {
  const selector = link.dataset.more
  const list = document.querySelector(selector)
  const next = page.querySelector(`[data-more="${selector}"]`)
  const isAbove = link.compareDocumentPosition(list) & Node.DOCUMENT_POSITION_FOLLOWING
  const older = [...page.querySelector(selector).children]
  for (const item of older) refine(item)
  // Before the day that goes on gives its conversations away.
  const first = older[0]?.querySelector("a, button")
  if (isAbove) putBelow(link, older)
  else appendDays(list, older)
  const hadFocus = document.activeElement === link
  if (next) link.replaceWith(next)
  else link.remove()
  if (hadFocus) (next ?? first)?.focus({ preventScroll: true })
  if (next && isWatching) bringWhenNear(next)
}

/** What the reader sees stays where it is while something is put above it. */
function putBelow(link, older) {
  const scroller = link.closest(".scroller")
  const below = scroller.scrollHeight - scroller.scrollTop
  for (const item of older) item.classList.add("far")
  // A list of its own can be left out as one: browsers look at whatever may be left out each time
  // they draw.
  const list = Object.assign(document.createElement("ol"), { className: "earlier" })
  list.append(...older)
  link.after(list)
  scroller.scrollTop = scroller.scrollHeight - below
}

/** Adds the sections of days; a day that has begun in the list goes on there. */
function appendDays(list, sections) {
  const last = list.lastElementChild
  if (last && last.dataset.day === sections[0]?.dataset.day) {
    last.querySelector("ol").append(...sections.shift().querySelectorAll("li"))
  }
  list.append(...sections)
}

// The list of conversations goes on by itself as the reader comes near its end.
let isWatching = false

function bringWhenNear(link) {
  isWatching = true
  const sight = new IntersectionObserver(entries => {
    if (!entries.some(entry => entry.isIntersecting)) return
    sight.disconnect()
    bringMore(link)
  }, { rootMargin: "600px" })
  sight.observe(link)
}

/** Brings more whenever the reader comes near the end of what is there. */
export function watchEnd() {
  const older = document.querySelector("[data-more='#all']")
  if (older && globalThis.IntersectionObserver) bringWhenNear(older)
}

watchEnd()
