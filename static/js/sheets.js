// What lies over a page for a moment: menus and dialogues, which come when the first is wanted.

import { fetchPage } from "./drawing.js"
import { followLayers } from "./layers.js"

let sheets

/** A copy of the sheet of this name. */
export async function sheet(name) {
  sheets ??= fetchSheets()
  try {
    const content = await sheets
    return content.getElementById(name).content.firstElementChild.cloneNode(true)
  } catch (error) {
    sheets = undefined
    throw error
  }
}

function fetchSheets() {
  const language = new URLSearchParams(location.search).get("lang")
  return fetchPage(language ? `/sheets?lang=${language}` : "/sheets")
}

/** Opens a dialogue over the page; a click beside it closes it, and the focus goes back. Meanwhile
    it has what tells screen readers something: behind it they would not hear that. */
export function openDialog(dialog) {
  const focused = document.activeElement
  const status = document.getElementById("status")
  dialog.append(status)
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close())
  dialog.addEventListener("close", () => {
    document.body.append(status)
    dialog.remove()
    focused?.focus({ preventScroll: true })
  })
  document.body.append(dialog)
  if (dialog.showModal) dialog.showModal()
  else openWithout(dialog)
  followLayers()
}

/** Older Safari has no dialogues: this is what of them the page needs. */
function openWithout(dialog) {
  dialog.setAttribute("open", "")
  dialog.setAttribute("aria-modal", "true")
  const shade = document.createElement("div")
  shade.className = "shade"
  dialog.before(shade)
  dialog.close = () => dialog.dispatchEvent(new Event("close"))
  dialog.addEventListener("close", () => shade.remove())
  shade.addEventListener("click", dialog.close)
  dialog.addEventListener("keydown", ({ key }) => key === "Escape" && dialog.close())
  dialog.addEventListener("submit", event => {
    event.preventDefault()
    dialog.close()
  })
  dialog.querySelector("[autofocus], input, button").focus()
}
