// A picture opened large. Esc and any click close it, and the reader is where they were.

export function show(link) {
  const dialog = document.getElementById("lightbox")
  const large = dialog.querySelector("img")
  const { alt } = link.querySelector("img")
  Object.assign(large, { src: link.href, alt })
  dialog.addEventListener("click", () => dialog.close(), { once: true })
  dialog.addEventListener("close", () => {
    large.removeAttribute("src")
    link.focus({ preventScroll: true }) // Safari does not focus a link that is clicked
  }, { once: true })
  dialog.showModal()
}
