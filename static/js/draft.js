// What was typed and not yet asked, kept in this browser for each conversation.

import { join, keyOf } from "./turn.js"

const MOST = 50
const MOST_CHARS = 200_000

/** Pairs of key and text, the oldest first. Storage may be forbidden, or hold what is not ours. */
function read() {
  try {
    return JSON.parse(localStorage.getItem("drafts")).filter(Array.isArray)
  } catch {
    return []
  }
}

export const find = key => read().find(([one]) => one === key)?.[1] ?? ""

/** Keeps a text; a blank one is forgotten. */
export function keep(key, text) {
  const drafts = read().filter(([one]) => one !== key)
  if (text.trim()) drafts.push([key, text])
  write(drafts.slice(-MOST))
}

/** This text has been asked, wherever it is kept. */
export const forget = text => write(read().filter(([, one]) => one !== text))

function write(drafts) {
  while (drafts.length > 1 && JSON.stringify(drafts).length > MOST_CHARS) drafts.shift()
  try {
    if (drafts.length) localStorage.setItem("drafts", JSON.stringify(drafts))
    else localStorage.removeItem("drafts")
  } catch {
    // Full or forbidden: the text is still in the field.
  }
}

/** Puts back what was being written here, be it an edit. What the server gave back wins. */
export function restore(composer) {
  const field = composer.querySelector("textarea")
  const draft = find(keyOf(composer.querySelector("form")))
  if (draft && draft !== field.value && !field.defaultValue) composer.write(join(draft, field.value))
  const edited = [...document.querySelectorAll("[data-message-id]")].find(one => find(one.dataset.messageId))
  if (!edited) return
  const { messageId: answer } = edited.dataset
  composer.edit({ message: find(answer), answer })
}

/** Keeps a text in front of what is there already. */
export function add(key, text) {
  const there = find(key)
  if (!there.includes(text)) keep(key, join(text, there))
}
