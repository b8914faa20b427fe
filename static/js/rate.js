// What a visitor says of an answer: useful or not, and why. A second press takes it back.

import { sentenceOf, showProblem, Refused } from "./page.js"

// Exchanges whose rating is on its way.
const underway = new WeakSet()

/** Sends what the button says, and shows it once the server has it. */
export async function rate(button) {
  const exchange = button.closest(".exchange")
  if (underway.has(exchange)) return
  underway.add(exchange)
  const isReason = button.dataset.rate === "reason"
  const text = exchange.querySelector(".reason textarea").value
  const isTakenBack = button.getAttribute("aria-pressed") === "true"
  const rating = isReason ? "down" : isTakenBack ? null : button.dataset.rate
  try {
    await send(exchange.dataset.messageId, isReason ? { rating, reason: text } : { rating })
    showProblem("")
    if (isReason) showThanks(exchange, text)
    else showRating(exchange, rating)
  } catch (error) {
    showProblem(sentenceOf(error))
  } finally {
    underway.delete(exchange)
  }
}

async function send(id, feedback) {
  const response = await fetch(`/chat/${id}/feedback`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(feedback),
  })
  if (response.ok) return
  const { error } = await response.json().catch(() => ({}))
  throw new Refused(error, error && response.status)
}

function showRating(exchange, rating) {
  for (const button of exchange.querySelectorAll("[data-rate][aria-pressed]")) {
    const isPressed = button.dataset.rate === rating
    button.setAttribute("aria-pressed", isPressed)
    // What the form sends when this script is not there.
    button.value = isPressed ? "" : button.dataset.rate
  }
  const reason = exchange.querySelector(".reason")
  reason.hidden = rating !== "down"
  reason.open = !reason.hidden
  // The server forgets the reason with the rating it was of.
  reason.querySelector("textarea").value = ""
  showSummary(reason, "ask")
}

function showThanks(exchange, text) {
  const reason = exchange.querySelector(".reason")
  const isSaid = text.trim() !== ""
  showSummary(reason, isSaid ? "thanks" : "ask")
  if (reason.contains(document.activeElement)) reason.querySelector("summary").focus()
  reason.open = false
}

function showSummary(reason, name) {
  const summary = reason.querySelector("summary")
  summary.textContent = summary.dataset[name]
}
