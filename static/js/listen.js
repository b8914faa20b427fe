// Dictation by the browser, where it has an ear. It asks for the microphone when this is pressed.

import { showProblem } from "./page.js"

// Ends that need no words: nobody spoke, or it was pressed again.
const QUIET = ["aborted", "no-speech"]

let recognition = null

/** Begins to write down what is said, or ends it. */
export function listen(button, composer) {
  if (recognition) return recognition.stop()
  const field = composer.querySelector("textarea")
  const before = field.value
  recognition = new (globalThis.SpeechRecognition ?? globalThis.webkitSpeechRecognition)()
  recognition.lang = document.documentElement.lang
  recognition.interimResults = true
  recognition.addEventListener("result", ({ results }) => {
    const text = Array.from(results, ([{ transcript }]) => transcript).join("")
    composer.write(before + text)
    composer.keepDraft()
  })
  // Some browsers have an ear and no service behind it.
  recognition.addEventListener("error", ({ error }) => {
    if (!QUIET.includes(error)) showProblem(button.dataset.failed)
  })
  recognition.addEventListener("end", () => {
    recognition = null
    button.setAttribute("aria-pressed", "false")
    field.focus({ preventScroll: true })
  })
  button.setAttribute("aria-pressed", "true")
  recognition.start()
}
