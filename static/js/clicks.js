// Clicks that have nothing to do with a question: the theme, a menu left, more of a list.

import { forgetDrafts, isTheirs, linkOf, watchDrawer } from "./scroll.js"

/** `ours` is the link that the browser does not follow, if it is one. */
export function clicked(target, ours) {
  for (const menu of document.querySelectorAll(".menu-box[open]")) if (!menu.contains(target)) menu.open = false
  if (target.closest("[data-theme-switch]")) import("./theme.js").then(theme => theme.change())
  if (ours?.matches("[data-more]")) import("./more.js").then(more => more.bring(ours))
  else if (ours) import("./lightbox.js").then(({ show }) => show(ours.closest("a")))
}

/** Closes a menu or the drawer by the keyboard, which goes back to where it was opened. */
export function close() {
  const menu = document.querySelector(".menu-box[open]")
  if (!menu) return document.querySelector("#drawer:checked")?.click() // so that its change is told
  menu.open = false
  menu.querySelector("summary").focus()
}

// Where there is nothing to ask, nobody else listens.
if (!document.querySelector("chat-composer")) {
  document.addEventListener("click", event => {
    const ours = linkOf(event)
    if (ours) event.preventDefault()
    clicked(event.target, ours)
  })
  document.addEventListener("keydown", ({ key, target }) => {
    if (key === "Escape" && !isTheirs(target)) close()
  })
  document.addEventListener("submit", forgetDrafts)
  watchDrawer()
}
