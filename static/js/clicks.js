// Clicks that have nothing to do with a question: the theme, a menu left, more of a list.

export function clicked(target) {
  for (const menu of document.querySelectorAll(".menu-box[open]")) if (!menu.contains(target)) menu.open = false
  if (target.closest("[data-theme-switch]")) import("./theme.js").then(theme => theme.change())
  const picture = target.closest(".picture, .image:has(img)")
  if (picture) import("./lightbox.js").then(({ show }) => show(picture))
  const link = target.closest("[data-more]")
  if (link) import("./more.js").then(more => more.bring(link))
}

/** Whether the browser must not follow the link: not when a click asks for a tab of its own. */
export const isOurs = ({ target, ctrlKey, metaKey, shiftKey, altKey }) =>
  !(ctrlKey || metaKey || shiftKey || altKey) && target.closest("[data-more], .picture, .image img")

/** Closes a menu by the keyboard, which goes back to where it was opened. */
export function close(menu) {
  menu.open = false
  menu.querySelector("summary").focus()
}

// Where there is nothing to ask, nobody else listens.
if (!document.querySelector("chat-composer")) {
  document.addEventListener("click", event => {
    if (isOurs(event)) event.preventDefault()
    clicked(event.target)
  })
  document.addEventListener("keydown", ({ key }) => {
    const menu = document.querySelector(".menu-box[open]")
    if (key === "Escape" && menu) close(menu)
  })
}
