// What can be done with a conversation in a list, without leaving the page for it.

import { setServerHTML } from "./drawing.js"
import { load, refine } from "./page.js"

const LONG_PRESS_MS = 500
const SWIPE_PX = 50

/** Opens the menu of the conversation that a link `.row-more` stands beside. */
export async function openMenu(link) {
  const { sheet } = await load("./sheets.js")
  const menu = await sheet("row-menu")
  const row = link.closest(".row")
  const conversation = row.querySelector(".conversation")
  for (const element of menu.querySelectorAll("[data-path]")) {
    const attribute = element.localName === "form" ? "action" : "href"
    const id = conversation.pathname.split("/").pop()
    element.setAttribute(attribute, element.dataset.path.replace("{}", id))
  }
  const summary = menu.querySelector("summary")
  summary.setAttribute("aria-label", link.getAttribute("aria-label"))
  menu.querySelector("[name=title]").value = conversation.querySelector(".truncate").textContent
  showPin(menu, row.parentElement.hasAttribute("data-pinned"))
  place(menu, link.getBoundingClientRect())
  link.replaceWith(menu)
  // The link comes back, since the sidebar may be another by then.
  menu.addEventListener("toggle", () => menu.open || menu.replaceWith(link))
  menu.addEventListener("submit", changeInPlace)
  menu.open = true
  summary.focus({ preventScroll: true })
}

/** A finger that lies long on a conversation, or draws it to the side. */
export function touch({ target, touches: [begin] }) {
  const row = target.closest(".row")
  const link = row.querySelector("a.row-more")
  if (!link || target.closest(".row-more")) return
  const leaving = new AbortController()
  const options = { signal: leaving.signal, passive: true }
  const end = () => {
    clearTimeout(timer)
    leaving.abort()
  }
  const open = () => {
    end()
    // The click that follows the finger's going would open the conversation.
    const ignore = event => event.preventDefault()
    row.addEventListener("click", ignore, { capture: true, once: true })
    setTimeout(() => row.removeEventListener("click", ignore, { capture: true }), LONG_PRESS_MS)
    openMenu(link).catch(() => {})
  }
  const timer = setTimeout(open, LONG_PRESS_MS)
  row.addEventListener("touchmove", ({ touches: [now] }) => {
    const [x, y] = [now.clientX - begin.clientX, now.clientY - begin.clientY]
    if (x < -SWIPE_PX && Math.abs(y) < SWIPE_PX / 2) open()
    else if (Math.abs(y) > 10) end()
  }, options)
  row.addEventListener("touchend", end, options)
  row.addEventListener("touchcancel", end, options)
}

function showPin(menu, isPinned) {
  for (const form of menu.querySelectorAll("form[data-pin]")) {
    form.hidden = (form.dataset.pin === "no") !== isPinned
  }
}

/** Beside the link, and whole on the screen. */
function place(menu, { left, bottom }) {
  const sheet = menu.querySelector(".menu-sheet")
  sheet.style.setProperty("--x", `${Math.max(8, left - 120)}px`)
  sheet.style.setProperty("--y", `${Math.max(8, Math.min(bottom, innerHeight - 330))}px`)
}

/** A new title and a pin change the list; what leads to another page does so by itself. */
async function changeInPlace(event) {
  const form = event.target
  if (!form.matches("[data-in-place]")) return
  event.preventDefault()
  const body = new URLSearchParams(new FormData(form))
  if (event.submitter?.name) body.set(event.submitter.name, event.submitter.value)
  try {
    const headers = { Accept: "application/json" }
    const response = await fetch(form.action, { method: "POST", headers, body })
    if (!response.ok) throw new Error(`status ${response.status}`)
    await refreshLists()
  } catch {
    // The server's page says what is wrong.
    form.submit()
  }
}

/** The lists of conversations as the server has them now; what is said on the page stays. */
async function refreshLists() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } })
  const page = document.createElement("template")
  setServerHTML(page, await response.text())
  for (const selector of [".conversations", "#lists"]) {
    const [old, fresh] = [document, page.content].map(root => root.querySelector(selector))
    if (!old || !fresh) continue
    old.replaceWith(fresh)
    refine(fresh)
  }
  const title = page.content.querySelector("title")?.textContent
  if (title) document.title = title
  const field = page.content.getElementById("title")
  if (field) document.getElementById("title").value = field.value
}
