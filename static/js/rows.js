// What can be done with a conversation in a list, without leaving the page for it.

import { fetchPage } from "./drawing.js"
import { dialogInFront, load, refine, sendPlainly } from "./page.js"

const LONG_PRESS_MS = 500
const SWIPE_PX = 50
// A finger that lies still moves as much; more scrolls the list.
const SLACK_PX = 10
const NARROW = "(max-width: 47.99rem)"

// What finds the link of the open menu again once its list is another.
let same = ""

/** Opens the menu of the conversation that a link `.row-more` stands beside. */
export async function openMenu(link) {
  const { sheet, openDialog } = await load("./sheets.js")
  const menu = await sheet("row-menu")
  // A second click on the way here has opened it already.
  if (!link.isConnected || dialogInFront()) return
  const row = link.closest(".row")
  const conversation = row.querySelector(".conversation")
  for (const element of menu.querySelectorAll("[data-path]")) {
    const attribute = element.localName === "form" ? "action" : "href"
    const id = conversation.pathname.split("/").pop()
    element.setAttribute(attribute, element.dataset.path.replace("{}", id))
  }
  const label = link.getAttribute("aria-label")
  menu.querySelector("[name=title]").value = conversation.querySelector(".truncate").textContent
  showPin(menu, row.parentElement.hasAttribute("data-pinned"))
  same = `${row.closest("#lists") ? "#lists" : ".sidebar"} [href="${link.getAttribute("href")}"]`
  if (!matchMedia(NARROW).matches) return openBeside(link, menu, label)
  const dialog = asDialog(menu, label)
  openDialog(dialog)
  // Not its field, which would bring the keyboard up.
  dialog.focus()
}

/** On a narrow page the menu lies over all else, at the foot, where a thumb is. */
function asDialog(menu, label) {
  const dialog = document.createElement("dialog")
  dialog.className = "sheet row-menu"
  dialog.tabIndex = -1
  dialog.setAttribute("aria-label", label)
  dialog.append(...menu.querySelector(".menu-sheet").children)
  dialog.addEventListener("submit", changeInPlace)
  return dialog
}

function openBeside(link, menu, label) {
  const leaving = new AbortController()
  const summary = menu.querySelector("summary")
  summary.setAttribute("aria-label", label)
  link.replaceWith(menu)
  // The link comes back, since the sidebar may be another by then.
  menu.addEventListener("toggle", () => {
    if (menu.open) return
    leaving.abort()
    const hadFocus = menu.contains(document.activeElement)
    menu.replaceWith(link)
    if (hadFocus) link.focus({ preventScroll: true })
  })
  menu.addEventListener("submit", changeInPlace)
  menu.open = true
  place(menu)
  addEventListener("resize", () => place(menu), { signal: leaving.signal })
  summary.focus({ preventScroll: true })
}

/** A finger that lies long on a conversation, or draws it to the side. */
export function touch({ target, touches: [begin] }) {
  const row = target.closest(".row")
  const link = row.querySelector("a.row-more")
  if (!link || target.closest(".row-more")) return
  let isOpen = false
  const open = () => {
    isOpen = true
    clearTimeout(timer)
    openMenu(link).catch(() => {})
  }
  const timer = setTimeout(open, LONG_PRESS_MS)
  const move = ({ touches: [now] }) => {
    const [x, y] = [now.clientX - begin.clientX, now.clientY - begin.clientY]
    if (isOpen) return
    if (x < -SWIPE_PX && Math.abs(y) < SWIPE_PX / 2) open()
    else if (Math.abs(y) > SLACK_PX) clearTimeout(timer)
  }
  // The browser's own menu of a link, which some show after as long.
  const keepAway = event => event.preventDefault()
  const end = event => {
    clearTimeout(timer)
    // The click that follows would open the conversation.
    if (isOpen && event.cancelable) event.preventDefault()
    row.removeEventListener("touchmove", move)
    row.removeEventListener("touchend", end)
    row.removeEventListener("touchcancel", end)
    row.removeEventListener("contextmenu", keepAway)
  }
  row.addEventListener("touchmove", move, { passive: true })
  row.addEventListener("touchend", end)
  row.addEventListener("touchcancel", end)
  row.addEventListener("contextmenu", keepAway)
}

function showPin(menu, isPinned) {
  for (const form of menu.querySelectorAll("form[data-pin]")) {
    form.hidden = (form.dataset.pin === "no") !== isPinned
  }
}

/** Below its row or above it, and whole on the screen. */
function place(menu) {
  const { left, top, bottom } = menu.querySelector("summary").getBoundingClientRect()
  const sheet = menu.querySelector(".menu-sheet")
  const isBelow = bottom + sheet.offsetHeight < innerHeight - 8
  sheet.style.setProperty("--x", `${Math.max(8, left - 120)}px`)
  sheet.style.setProperty("--y", `${isBelow ? bottom : Math.max(8, top - sheet.offsetHeight)}px`)
}

/** A new title and a pin change the list; what leads to another page does so by itself. The focus
    goes to the link as it is then. */
async function changeInPlace(event) {
  const form = event.target
  if (!form.matches("[data-in-place]")) return
  event.preventDefault()
  // Such a form has one button. Older browsers do not say which one it was.
  const button = form.querySelector("button")
  const body = new URLSearchParams(new FormData(form))
  if (button.name) body.set(button.name, button.value)
  try {
    const headers = { Accept: "application/json" }
    const response = await fetch(form.action, { method: "POST", headers, body })
    if (!response.ok) throw new Error(`status ${response.status}`)
    await refreshLists()
    form.closest("dialog")?.close?.()
    document.querySelector(same)?.focus({ preventScroll: true })
  } catch {
    // The server's page says what is wrong.
    sendPlainly(form, button)
  }
}

/** The lists of conversations as the server has them now; what is said on the page stays. */
async function refreshLists() {
  const page = await fetchPage(location.href)
  const restore = rememberList()
  for (const selector of [".conversations", "#lists"]) {
    const [old, fresh] = [document, page].map(root => root.querySelector(selector))
    if (!old || !fresh) continue
    const top = old.scrollTop
    old.replaceWith(fresh)
    fresh.scrollTop = top
    refine(fresh)
  }
  const title = page.querySelector("title")?.textContent
  if (title) document.title = title
  const field = page.getElementById("title")
  if (field) document.getElementById("title").value = field.value
  await restore()
}

/** Makes the list of all conversations, once it is another, as long as it was, with what was chosen. */
function rememberList() {
  const rows = () => document.querySelectorAll("#lists .row")
  const { length } = rows()
  const chosen = Array.from(document.querySelectorAll("#lists :checked"), ({ value }) => value)
  const scroller = document.getElementById("lists")?.closest(".overflow-y-auto")
  const top = scroller?.scrollTop
  return async () => {
    const older = () => document.querySelector("[data-more='#all']")
    if (!older()) return choose(chosen)
    const { bringMore, watchEnd } = await load("./more.js")
    while (rows().length < length && older()) await bringMore(older())
    watchEnd()
    choose(chosen)
    scroller.scrollTop = top
  }
}

function choose(ids) {
  for (const box of document.querySelectorAll("#lists [name=id]")) {
    box.checked = ids.includes(box.value)
  }
}
