// Drafts: unsent questions, stored in this browser for each conversation and each edited question.

import { join, keyOf } from "./page.js"

const MAX_DRAFTS = 50
const MAX_CHARS = 200_000

/** Pairs of key and text, the oldest first. Storage may be forbidden, or hold what is not ours. */
function readDrafts() {
  try {
    return JSON.parse(localStorage.getItem("drafts")).filter(Array.isArray)
  } catch {
    return []
  }
}

function writeDrafts(drafts) {
  while (drafts.length > 1 && JSON.stringify(drafts).length > MAX_CHARS) drafts.shift()
  try {
    if (drafts.length) localStorage.setItem("drafts", JSON.stringify(drafts))
    else localStorage.removeItem("drafts")
  } catch {
    // Full or forbidden: the text is still in the field.
  }
}

/** The text of this key, or "". */
export function findDraft(key) {
  const draft = readDrafts().find(([draftKey]) => draftKey === key)
  return draft?.[1] ?? ""
}

/** Keeps a text; a blank one is forgotten. */
export function keepDraft(key, text) {
  const drafts = readDrafts().filter(([draftKey]) => draftKey !== key)
  if (text.trim()) drafts.push([key, text])
  writeDrafts(drafts.slice(-MAX_DRAFTS))
}

/** This text has been sent, under whichever keys it is kept. */
export function forgetDraft(text) {
  writeDrafts(readDrafts().filter(([, draftText]) => draftText !== text))
}

/** Keeps a text in front of the draft that is there already. */
export function prependDraft(key, text) {
  const draft = findDraft(key)
  if (!draft.includes(text)) keepDraft(key, join(text, draft))
}

/** Puts back what was being written here, be it an edit. What the server gave back wins. */
export function restoreDraft(composer) {
  const field = composer.querySelector("textarea")
  const draft = findDraft(keyOf(composer.querySelector("form")))
  if (draft && draft !== field.value && !field.defaultValue) {
    composer.write(join(draft, field.value))
  }
  const exchanges = [...document.querySelectorAll("[data-message-id]")]
  const exchange = exchanges.find(({ dataset }) => findDraft(dataset.messageId))
  if (!exchange) return
  const { messageId: answer } = exchange.dataset
  composer.edit({ message: findDraft(answer), answer })
}
