// An earlier question in the field, to be asked anew in the place of its answer.

import { find } from "./draft.js"
import { settleFocus } from "./scroll.js"
import { keyOf } from "./turn.js"

/** Begins with {message, answer}; ends with null: what was being written before comes back. */
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
