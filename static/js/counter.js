// How much room a question has left: asked only near the limit, counted as the server counts.

import { tell } from "./turn.js"

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
  const problem = document.querySelector("chat-composer [role=alert]")
  counter.classList.toggle("over", isOver)
  counter.textContent = due ? counter.dataset[due.name].replace("%s", number) : ""
  if (isOver && isSending) tell(complaint = problem.dataset.tooLong.replace("%s", number))
  else if (!isOver && complaint && problem.textContent === complaint) tell(complaint = "")
  return isOver ? due.count : 0
}
