// What lies over a phone's page: the drawer, menus, pictures. Back closes it, as in any app.

import { isPhone } from "./page.js"

export const OPEN_MENU = ".menu-box[open], .switch[open]"

const isCovered = () =>
  document.querySelector(`${OPEN_MENU}, #drawer:checked, dialog[open]`) !== null

/** Adds a step to the history while something lies over the page, and takes it off again. */
export function followLayers() {
  if (!isPhone()) return
  const hasStep = history.state?.isCovered === true
  if (isCovered() && !hasStep) history.pushState({ isCovered: true }, "")
  else if (!isCovered() && hasStep) history.back()
}

addEventListener("popstate", () => {
  if (history.state?.isCovered || !isPhone()) return
  for (const menu of document.querySelectorAll(OPEN_MENU)) menu.open = false
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close()
  // Not checked = false: that would fire no change event.
  document.querySelector("#drawer:checked")?.click()
})
// Menus and dialogues tell it by an event that does not bubble.
document.addEventListener("toggle", followLayers, true)
document.addEventListener("close", followLayers, true)
document.addEventListener("change", ({ target }) => target.id === "drawer" && followLayers())
