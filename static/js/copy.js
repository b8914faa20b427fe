// What is copied: a piece of code, an answer, the link of the menu.

import { copyOf } from "./transcript.js"

const TICK_MS = 1500
const ticked = new Set() // buttons that show it

const COPIED = {
  code: button => button.closest(".code").querySelector("pre").textContent,
  answer: button => button.closest(".exchange").querySelector(".words").innerText,
  share: () => document.getElementById("share-link").value,
}

/** Copies what belongs to the button, and says so if it is true. */
export async function copy(button) {
  if (!await writeToClipboard(COPIED[button.dataset.copy](button))) return
  const status = document.querySelector("body > [role=status]")
  status.textContent = status.dataset.copied
  if (ticked.has(button)) return
  const sign = button.firstElementChild
  sign.replaceWith(copyOf("copied"))
  ticked.add(button)
  setTimeout(() => {
    button.firstElementChild.replaceWith(sign)
    ticked.delete(button)
  }, TICK_MS)
}

/** On plain http there is no navigator.clipboard; the old way still works everywhere. Whether it did. */
async function writeToClipboard(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const focused = document.activeElement
    const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, className: "sr-only" })
    document.body.append(field)
    field.select()
    const isCopied = document.execCommand("copy")
    field.remove()
    focused?.focus({ preventScroll: true })
    return isCopied
  }
}
