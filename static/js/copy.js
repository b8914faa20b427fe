// Copying: a piece of code, an answer, the link of the menu.

import { announce, copyOf, problem, showProblem } from "./page.js"

const TICK_MS = 1500
// Buttons that show a tick at the moment.
const ticked = new Set()

/** Copies what belongs to the button, and says whether it did. */
export async function copy(button) {
  const isCopied = await writeToClipboard(contentFor(button)).catch(() => false)
  const { textContent: before, dataset: { notCopied } } = problem()
  if (!isCopied) return showProblem(notCopied)
  if (before === notCopied) showProblem("")
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

/** What is copied, by type. An answer is its Markdown, and for documents its formatted text. */
function contentFor(button) {
  switch (button.dataset.copy) {
    case "code": return plain(button.closest(".code").querySelector("pre").textContent)
    case "conversation": return whole()
    case "link": return plain(button.closest("dialog").querySelector("input").value)
    case "answer": return answer(button.closest(".exchange"))
    default: return plain(document.getElementById("share-link").value)
  }
}

const plain = text => ({ "text/plain": text })

/** The conversation as the server exports it, which has what is not on the page as well. */
function whole() {
  const { href } = document.querySelector(".menu-box [download]")
  return plain(fetch(href).then(response => {
    if (!response.ok) throw new Error(`status ${response.status}`)
    return response.text()
  }))
}

function answer(exchange) {
  const prose = exchange.querySelector(".prose")
  const copy = prose.cloneNode(true)
  for (const button of copy.querySelectorAll("button")) button.remove()
  const source = exchange.querySelector(".source").content.textContent
  return {
    "text/plain": source || prose.innerText,
    "text/html": new XMLSerializer().serializeToString(copy),
  }
}

/** Whether it worked. Plain http has no navigator.clipboard; the old way works everywhere. */
async function writeToClipboard(content) {
  try {
    // Safari wants the promise of a text at once, in the click itself.
    const blob = async (type, text) => new Blob([await text], { type })
    const blobs = Object.entries(content).map(([type, text]) => [type, blob(type, text)])
    await navigator.clipboard.write([new ClipboardItem(Object.fromEntries(blobs))])
    return true
  } catch {
    return copyBySelection(Object.fromEntries(await Promise.all(
      Object.entries(content).map(async ([type, text]) => [type, await text]),
    )))
  }
}

function copyBySelection(content) {
  const focused = document.activeElement
  const field = document.createElement("textarea")
  Object.assign(field, { value: content["text/plain"], readOnly: true, className: "sr-only" })
  // Elsewhere a dialogue would hold the focus off, and a menu close.
  focused.parentNode.append(field)
  field.addEventListener("copy", event => {
    event.preventDefault()
    event.stopPropagation()
    for (const [type, text] of Object.entries(content)) event.clipboardData.setData(type, text)
  })
  field.select()
  const isCopied = document.execCommand("copy")
  field.remove()
  focused.focus({ preventScroll: true })
  return isCopied
}
