// Finds the colours of code, beside the page: whatever a text does to a grammar, the page goes on.

import hljs from "../vendor/highlight/core.min.js"
import { LANGUAGES, languageNamed } from "./languages.js"

// Five colours are enough to read by. A scope that is not here has the colour of what is around it.
const SCOPES = {
  keyword: ["keyword", "selector-tag", "name", "template-tag"],
  name: [
    "title", "built_in", "type", "attr", "attribute", "section", "property",
    "selector-class", "selector-id", "selector-attr", "selector-pseudo",
  ],
  string: ["string", "regexp", "char", "link", "code", "addition"],
  number: ["number", "literal", "symbol", "bullet", "deletion"],
  comment: ["comment", "quote", "meta", "doctag", "prompt"],
  plain: ["subst"],
}
const colours = new Map()
for (const [colour, scopes] of Object.entries(SCOPES)) {
  for (const scope of scopes) colours.set(scope, colour)
}

/** What highlight.js reports goes into segments, [length, colour], that make up the whole text. */
class Segments {
  segments = []
  #open = []

  addText(text) {
    if (text) this.#add(text.length, this.#colour)
  }

  startScope(scope) {
    const colour = colours.get(scope) ?? colours.get(scope.split(".")[0])
    this.#open.push(colour ?? this.#colour)
  }

  endScope() {
    this.#open.pop()
  }

  openNode(scope) {
    this.startScope(scope)
  }

  closeNode() {
    this.endScope()
  }

  __addSublanguage({ segments }) {
    for (const [length, colour] of segments) this.#add(length, colour)
  }

  finalize() {}

  toHTML() {
    return ""
  }

  get #colour() {
    return this.#open[this.#open.length - 1] ?? "plain"
  }

  #add(length, colour) {
    const last = this.segments[this.segments.length - 1]
    if (last?.[1] === colour) last[0] += length
    else this.segments.push([length, colour])
  }
}

hljs.configure({ __emitter: Segments })

async function register(name) {
  if (hljs.getLanguage(name)) return
  // A variable: what is written inside import() would be compiled into this file.
  const address = `../vendor/highlight/languages/${name}.min.js`
  const { default: grammar } = await import(address)
  hljs.registerLanguage(name, grammar)
}

/** The segments of a text, null where it stays plain. Reports when the work on the text begins. */
async function colour({ language, text }) {
  const name = languageNamed(language)
  if (!name) return null
  await Promise.all([name, ...LANGUAGES[name].embeds ?? []].map(register))
  postMessage({ isStarted: true })
  const { _emitter: { segments } } = hljs.highlight(text, { language: name, ignoreIllegals: true })
  const length = segments.reduce((sum, [count]) => sum + count, 0)
  return length === text.length ? segments : null
}

addEventListener("message", async ({ data }) => {
  postMessage({ segments: await colour(data).catch(() => null) })
})
