// What lies over a phone's page: the drawer, menus, pictures. Back closes it, as in any app.

import { dialogInFront, isPhone } from "./page.js"

// Where menus are. A long conversation, which has none, is not looked through at every click.
const PLACES = [".sidebar", ".bar", "#lists"]

/** The menus that are open. */
export function openMenus() {
  const places = PLACES.map(place => document.querySelector(place)).filter(Boolean)
  return places.flatMap(place => [...place.querySelectorAll(".menu-box[open], .switch[open]")])
}

/** Closes the menus, but for that which holds an element. */
export function closeMenus(element = null) {
  for (const menu of openMenus()) {
    if (!menu.contains(element)) menu.open = false
  }
}

const isCovered = () =>
  openMenus().length > 0 || document.getElementById("drawer")?.checked || Boolean(dialogInFront())

/** Adds a step to the history while something lies over the page, and takes it off again. */
export function followLayers() {
  if (!isPhone()) return
  const hasStep = history.state?.isCovered === true
  if (isCovered() && !hasStep) history.pushState({ isCovered: true }, "")
  else if (!isCovered() && hasStep) history.back()
}

addEventListener("popstate", () => {
  if (history.state?.isCovered || !isPhone()) return
  closeMenus()
  dialogInFront()?.close()
  // Not checked = false: that would fire no change event.
  document.querySelector("#drawer:checked")?.click()
})
// Menus and dialogues tell it by an event that does not bubble.
document.addEventListener("toggle", followLayers, true)
document.addEventListener("close", followLayers, true)
document.addEventListener("change", ({ target }) => target.id === "drawer" && followLayers())
