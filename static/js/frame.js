// The frame of every page: its menus, its drawer, the theme, copying, links that open in place.

import { closeMenus, openMenus } from "./layers.js"
import { announce, areSingleKeysOn, isEscapeTaken, load, refine, remember } from "./page.js"

// By then screen readers have begun to read a page that is new.
const SETTLED_MS = 1000

// Menus close as soon as the focus or a click is somewhere else.
document.addEventListener("focusin", ({ target }) => closeMenus(target))
document.addEventListener("click", event => {
  const { target } = event
  closeMenus(target)
  if (target.closest("[data-theme-switch]")) {
    load("./theme.js").then(({ changeTheme }) => changeTheme(), () => {})
  }
  if (target.closest("[data-keys]")) {
    load("./keys.js").then(({ press }) => press("?")).catch(() => {})
  }
  const copyButton = target.closest("[data-copy]")
  if (copyButton) load("./copy.js").then(({ copy }) => copy(copyButton), () => {})
  const more = target.closest("a.row-more")
  if (more && !isForTab(event)) {
    event.preventDefault()
    const leave = () => location.assign(more.href)
    load("./rows.js").then(({ openMenu }) => openMenu(more)).catch(leave)
  }
  const link = linkInPlace(event)
  if (!link) return
  event.preventDefault()
  if (link.matches("[data-more]")) {
    load("./more.js").then(({ bringMore }) => bringMore(link), () => location.assign(link.href))
  } else {
    const leave = () => location.assign(link.closest("a").href)
    load("./lightbox.js").then(({ showPicture }) => showPicture(link.closest("a")), leave)
  }
})

document.addEventListener("keydown", event => {
  const isEscape = event.key === "Escape" && !event.isComposing && !isEscapeTaken(event.target)
  if (isEscape && closeByKeyboard()) event.preventDefault()
  const shortcut = shortcutOf(event)
  if (!shortcut) return
  event.preventDefault()
  if (shortcut === "/") document.getElementById("question")?.focus()
  else load("./keys.js").then(({ press }) => press(shortcut)).catch(() => {})
})

// A finger on a conversation: long, or drawn aside, it opens the menu.
let touches = 0
document.addEventListener("touchstart", event => {
  const count = ++touches
  if (!event.target.closest(".row")) return
  // The first time the finger may be gone before the module has come.
  load("./rows.js").then(({ touch }) => count === touches && touch(event), () => {})
}, { passive: true })
for (const end of ["touchend", "touchcancel"]) {
  document.addEventListener(end, () => touches++, { passive: true })
}
document.addEventListener("submit", forgetDrafts)
watchDrawer()
findVoices()
bringOlderStyles()
refine(document)
// What a page says as it comes, such as what was done, screen readers hear only if it is new.
const said = document.querySelector("main [role=status]")
if (said) setTimeout(announce, SETTLED_MS, "", said.innerText)

/** The shortcut of a key press: Ctrl or ⌘ with K or Shift+O anywhere, / and ? outside of fields. */
function shortcutOf({ key, code, ctrlKey, metaKey, shiftKey, altKey, isComposing, target }) {
  if (isComposing || altKey || !document.querySelector(".begin")) return ""
  if (ctrlKey || metaKey) {
    if (code === "KeyK" && !shiftKey) return "k"
    return code === "KeyO" && shiftKey ? "o" : ""
  }
  if (key !== "/" && key !== "?") return ""
  const isWriting = target.closest?.("input, textarea, select, dialog, [contenteditable]")
  return isWriting || !areSingleKeysOn() ? "" : key
}

/** Whether a click is for the browser: another tab, a download. */
const isForTab = ({ ctrlKey, metaKey, shiftKey, altKey }) => ctrlKey || metaKey || shiftKey || altKey

/** A link to more of a list or to a picture; null if the click wants a tab of its own. */
function linkInPlace(event) {
  if (isForTab(event)) return null
  const { target } = event
  const link = target.closest("[data-more], .picture, .image")
  // Older Safari has no dialogues: there a picture has a tab of its own.
  const canShow = document.getElementById("lightbox")?.showModal
  const isInPlace = link?.matches("[data-more]") || (canShow && link?.querySelector("img"))
  return isInPlace ? link : null
}

/** Closes a menu or else the drawer. The focus returns to what opened it. Whether one was open. */
function closeByKeyboard() {
  const [menu] = openMenus()
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

/** Behind the drawer of a narrow page all is out of reach. It has the focus, and gives it back. */
function watchDrawer() {
  const drawer = document.getElementById("drawer")
  if (!drawer) return
  document.getElementById("fold")?.addEventListener("change", ({ target: { checked } }) => {
    remember("sidebar", checked ? "folded" : "open")
  })
  const narrow = globalThis.matchMedia?.("(max-width: 47.99rem)")
  const cover = () => {
    document.getElementById("main").inert = drawer.checked && narrow?.matches === true
  }
  drawer.addEventListener("change", () => {
    cover()
    const heir = drawer.checked ? document.querySelector(".sidebar a") : drawer
    heir.focus({ preventScroll: true })
  })
  narrow?.addEventListener?.("change", cover)
}

/** Offers what only some browsers have: a voice that reads, an ear that takes dictation. */
function findVoices() {
  const { dataset } = document.documentElement
  if (globalThis.SpeechRecognition ?? globalThis.webkitSpeechRecognition) dataset.ear = ""
  const voices = globalThis.speechSynthesis
  const look = () => voices.getVoices().length && (dataset.voice = "")
  if (voices) look()
  voices?.addEventListener?.("voiceschanged", look)
}

/** Formulas, dialogues and room between things, for browsers that lack any of them. */
function bringOlderStyles() {
  if (CSS.supports?.("math-style", "normal") && globalThis.HTMLDialogElement) return
  const href = new URL("../css/older.css", import.meta.url).href
  document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href }))
}
