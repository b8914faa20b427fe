// A picture opened large. Esc and any click close it, and the reader is where they were.

import { followLayers } from "./layers.js"

export function showPicture(link) {
  const dialog = document.getElementById("lightbox")
  const large = dialog.querySelector("img")
  const { alt } = link.querySelector("img")
  Object.assign(large, { src: link.href, alt })
  dialog.addEventListener("click", () => dialog.close(), { once: true })
  dialog.addEventListener("close", () => {
    large.removeAttribute("src")
    // Safari does not focus a link that is clicked.
    link.focus({ preventScroll: true })
  }, { once: true })
  dialog.showModal()
  followLayers()
}
