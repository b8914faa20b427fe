// Dictation by the browser, where it has an ear. It asks for the microphone when this is pressed.

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
  recognition.addEventListener("end", () => {
    recognition = null
    button.setAttribute("aria-pressed", "false")
    field.focus({ preventScroll: true })
  })
  button.setAttribute("aria-pressed", "true")
  recognition.start()
}
