// The frame of every page: its menus, its drawer, the theme, links that open in place.

import { showPicture } from "./lightbox.js"
import { isEscapeTaken, load, refine } from "./page.js"
import { changeTheme } from "./theme.js"

document.addEventListener("click", event => {
  const { target } = event
  for (const menu of document.querySelectorAll(".menu-box[open]")) {
    if (!menu.contains(target)) menu.open = false
  }
  if (target.closest("[data-theme-switch]")) changeTheme()
  const link = linkInPlace(event)
  if (!link) return
  event.preventDefault()
  if (link.matches("[data-more]")) {
    load("./more.js").then(({ bringMore }) => bringMore(link), () => location.assign(link.href))
  } else {
    showPicture(link.closest("a"))
  }
})

document.addEventListener("keydown", event => {
  const isEscape = event.key === "Escape" && !event.isComposing && !isEscapeTaken(event.target)
  if (isEscape && closeByKeyboard()) event.preventDefault()
})

document.addEventListener("submit", forgetDrafts)
watchDrawer()
refine(document)

/** A link to more of a list or to a picture; null if the click wants a tab of its own. */
function linkInPlace({ target, ctrlKey, metaKey, shiftKey, altKey }) {
  if (ctrlKey || metaKey || shiftKey || altKey) return null
  const link = target.closest("[data-more], .picture, .image")
  // Older Safari has no dialogues: there a picture has a tab of its own.
  const canShow = document.getElementById("lightbox")?.showModal
  const isInPlace = link?.matches("[data-more]") || (canShow && link?.querySelector("img"))
  return isInPlace ? link : null
}

/** Closes a menu or else the drawer. The focus returns to what opened it. Whether one was open. */
function closeByKeyboard() {
  const menu = document.querySelector(".menu-box[open]")
  const drawer = document.querySelector("#drawer:checked")
  if (menu) {
    menu.open = false
    menu.querySelector("summary").focus()
  } else {
    // Not checked = false: that would fire no change event.
    drawer?.click()
  }
  return Boolean(menu ?? drawer)
}

/** Whoever signs out or deletes everything leaves no draft to the next person at this browser. */
function forgetDrafts({ target }) {
  if (!/\/(forget|sign-out)$/.test(target.action)) return
  try {
    localStorage.removeItem("drafts")
  } catch {
    // Where storage is forbidden nothing was kept.
  }
}

/** Behind the drawer of a narrow page all is out of reach. Closed, it leaves its switch focused. */
function watchDrawer() {
  const drawer = document.getElementById("drawer")
  if (!drawer) return
  const narrow = globalThis.matchMedia?.("(max-width: 47.99rem)")
  const cover = () => {
    document.getElementById("main").inert = drawer.checked && narrow?.matches === true
  }
  drawer.addEventListener("change", () => {
    cover()
    if (!drawer.checked) drawer.focus({ preventScroll: true })
  })
  narrow?.addEventListener?.("change", cover)
}
