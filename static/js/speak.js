// An answer read aloud by the browser's own voice. A second press ends it.

// Longer pieces are cut off by some voices.
const PIECE = /[^。！？.!?\n]{1,200}[。！？.!?\n]*/g

let pressed = null
// How often it was begun or ended: what was cut short reports its end later.
let count = 0

/** Reads the answer that the button belongs to, or stops reading it. */
export function speak(button) {
  const isSame = button === pressed
  silence()
  if (isSame) return
  pressed = button
  button.setAttribute("aria-pressed", "true")
  const pieces = textOf(button.closest(".exchange")).match(PIECE) ?? []
  const reading = count
  const end = () => reading === count && silence()
  pieces.forEach((piece, number) => {
    const utterance = new SpeechSynthesisUtterance(piece)
    utterance.lang = /[\u3400-\u9fff]/.test(piece) ? "zh-CN" : document.documentElement.lang
    if (number === pieces.length - 1) utterance.onend = end
    utterance.onerror = end
    speechSynthesis.speak(utterance)
  })
  if (!pieces.length) silence()
}

function silence() {
  count++
  pressed?.setAttribute("aria-pressed", "false")
  pressed = null
  speechSynthesis.cancel()
}

/** What is worth hearing: not code and not formulas' markup. */
function textOf(exchange) {
  const copy = exchange.querySelector(".prose").cloneNode(true)
  for (const element of copy.querySelectorAll(".code, math, button")) element.remove()
  return copy.textContent.trim()
}

addEventListener("pagehide", silence)
