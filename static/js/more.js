// What a link leads to comes into the page: older messages above, older conversations below.

import { setServerHTML } from "./drawing.js"

/** Fetches the page of a [data-more] link and puts its list where the link stands. */
export async function bring(link) {
  if (link.ariaBusy === "true") return
  link.ariaBusy = "true"
  const { more } = link.dataset
  const response = await fetch(link.href, { headers: { Accept: "text/html" } }).catch(() => null)
  if (!response?.ok) {
    location.assign(link.href) // the browser knows best how to say what is wrong
    return
  }
  const page = document.createElement("template")
  setServerHTML(page, await response.text())
  const list = document.querySelector(more)
  const next = page.content.querySelector(`[data-more="${more}"]`)
  const isAbove = link.compareDocumentPosition(list) & Node.DOCUMENT_POSITION_FOLLOWING
  const older = [...page.content.querySelector(more).children]
  if (isAbove) keepPlace(list, () => list.prepend(...older))
  else append(list, older)
  const hadFocus = document.activeElement === link
  if (next) link.replaceWith(next)
  else link.remove()
  if (hadFocus) (next ?? older[0].querySelector("a, button"))?.focus({ preventScroll: true })
  if (next && isWatching) watch(next)
}

/** What the reader sees stays where it is while something is put above it. */
function keepPlace(list, change) {
  const scroller = list.closest(".scroller")
  const below = scroller.scrollHeight - scroller.scrollTop
  change()
  scroller.scrollTop = scroller.scrollHeight - below
}

/** A day that has begun in the list goes on there. */
function append(list, sections) {
  const last = list.lastElementChild
  if (last && last.dataset.day === sections[0]?.dataset.day) {
    last.querySelector("ol").append(...sections.shift().querySelectorAll("li"))
  }
  list.append(...sections)
}

// The list of conversations goes on by itself as the reader comes near its end.
let isWatching = false

function watch(link) {
  isWatching = true
  const seen = new IntersectionObserver(entries => {
    if (!entries.some(one => one.isIntersecting)) return
    seen.disconnect()
    bring(link)
  }, { rootMargin: "600px" })
  seen.observe(link)
}

const older = document.querySelector("[data-more='#all']")
if (older && globalThis.IntersectionObserver) watch(older)
