// What is being written: kept in this browser for each conversation, counted near the limit; earlier questions changed.

import { settleFocus } from "./scroll.js"
import "./stream.js" // on its way before the question is
import { join, keyOf, problem, tell } from "./turn.js"

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
  edit(composer, { message: find(answer), answer })
}

/** Keeps a text in front of what is there already. */
export function add(key, text) {
  const there = find(key)
  if (!there.includes(text)) keep(key, join(text, there))
}

/** Takes an earlier question, {message, answer}, into the field; null brings back what was being written before. */
export function edit(composer, question) {
  const form = composer.querySelector("form")
  const { instead, message: field } = form.elements
  const strip = composer.querySelector(".editing")
  if (question && !instead.value) strip.dataset.before = field.value
  // What is still on its way is kept until it is accepted.
  if (!question) composer.keep(keyOf(form), composer.turn?.pending(keyOf(form)) ?? "")
  instead.value = question?.answer ?? ""
  strip.hidden = !question
  field.setAttribute("aria-describedby", question ? "editing hint" : "hint")
  composer.write(question?.message ?? (strip.dataset.before || find(keyOf(form))))
  if (question) field.focus()
  else settleFocus()
}

/** Characters, not halves of them: 🎉 is one. */
export const lengthOf = text => [...text.replace(/\r\n?/g, "\n")].length

/** Which sentence is due, and its number; null while there is plenty of room. */
export function room(length, most) {
  if (length > most) return { name: "over", count: length - most }
  return length > most * 0.9 ? { name: "left", count: most - length } : null
}

let complaint = ""

/** Shows the room left, and whoever wants to send too much is told. How many characters are too many. */
export function show(counter, text, isSending) {
  const due = room(lengthOf(text), Number(counter.dataset.most))
  const isOver = due?.name === "over"
  const number = due && new Intl.NumberFormat(document.documentElement.lang).format(due.count)
  counter.classList.toggle("over", isOver)
  counter.textContent = due ? counter.dataset[due.name].replace("%s", number) : ""
  if (isOver && isSending) tell(complaint = problem().dataset.tooLong.replace("%s", number))
  else if (!isOver && complaint && problem().textContent === complaint) tell(complaint = "")
  return isOver ? due.count : 0
}
