// The counter below the field: the room that is left near the limit, the excess beyond it.

import { problem, showProblem } from "./page.js"

// The counter appears beyond this share of the limit.
const NEARLY_FULL = 0.9

/** Characters, not halves of them: 🎉 is one. */
export const lengthOf = text => [...text.replace(/\r\n?/g, "\n")].length

/** Which sentence is due, and its number; null while there is plenty of room. */
export function roomLeft(length, limit) {
  if (length > limit) return { name: "over", count: length - limit }
  return length > limit * NEARLY_FULL ? { name: "left", count: limit - length } : null
}

let complaint = ""

/** Shows the room left; complains when too much is to be sent. Returns the characters too many. */
export function showRoom(counter, text, isSending) {
  const limit = Number(counter.dataset.most)
  // Most texts are short, and need not be counted at every key.
  const room = text.length > limit * NEARLY_FULL ? roomLeft(lengthOf(text), limit) : null
  const isOver = room?.name === "over"
  const number = room && new Intl.NumberFormat(document.documentElement.lang).format(room.count)
  counter.classList.toggle("over", isOver)
  counter.textContent = room ? counter.dataset[room.name].replace("%s", number) : ""
  if (isOver && isSending) {
    complaint = problem().dataset.tooLong.replace("%s", number)
    showProblem(complaint)
  } else if (!isOver && complaint && problem().textContent === complaint) {
    complaint = ""
    showProblem("")
  }
  return isOver ? room.count : 0
}
