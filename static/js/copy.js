// Copying: a piece of code, an answer, the link of the menu.

import { announce, copyOf } from "./page.js"

const TICK_MS = 1500
// Buttons that show a tick at the moment.
const ticked = new Set()

/** Copies what belongs to the button, and says so if it is true. */
export async function copy(button) {
  if (!await writeToClipboard(textFor(button))) return
  announce("copied")
  if (ticked.has(button)) return
  const sign = button.firstElementChild
  sign.replaceWith(copyOf("copied"))
  ticked.add(button)
  setTimeout(() => {
    button.firstElementChild.replaceWith(sign)
    ticked.delete(button)
  }, TICK_MS)
}

function textFor(button) {
  switch (button.dataset.copy) {
    case "code": return button.closest(".code").querySelector("pre").textContent
    case "answer": return button.closest(".exchange").querySelector(".prose").innerText
    default: return document.getElementById("share-link").value
  }
}

/** Whether it worked. On plain http there is no navigator.clipboard; the old way works everywhere. */
async function writeToClipboard(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const focused = document.activeElement
    const field = document.createElement("textarea")
    Object.assign(field, { value: text, readOnly: true, className: "sr-only" })
    document.body.append(field)
    field.select()
    const isCopied = document.execCommand("copy")
    field.remove()
    focused?.focus({ preventScroll: true })
    return isCopied
  }
}
