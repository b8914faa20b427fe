// The colours of code: segments that make up exactly the text, for every language and any text.

import assert from "node:assert/strict"
import { test } from "node:test"

// A worker's side of the page: what it posts, and how it is asked.
const posted = []
let ask
globalThis.postMessage = message => posted.push(message)
globalThis.addEventListener = (type, listener) => { ask = data => listener({ data }) }
const { LANGUAGES, languageNamed } = await import("../../static/js/languages.js")
await import("../../static/js/colouring-worker.js")

const TEXT = "def f(x): # 注释 🎉\n  <a href='b'>\"c\" /* d */ let e = `f ${1 + 2}`"
  + " -- 3.5e10 {% if %}\r\n$g = @h;\n"
const COLOURS = new Set(["plain", "keyword", "name", "string", "number", "comment"])

async function colour(language, text) {
  posted.length = 0
  await ask({ language, text })
  return posted.at(-1).segments
}

for (const language of Object.keys(LANGUAGES)) {
  test(`${language} colours a text without changing it`, async () => {
    for (const text of [TEXT, TEXT.slice(7, 60), "", "\n", "x".repeat(3000)]) {
      const segments = await colour(language, text)
      assert.equal(segments.reduce((sum, [length]) => sum + length, 0), text.length)
      assert.ok(segments.every(([, name]) => COLOURS.has(name)))
    }
  })
}

test("every language has its other names, and no two languages share one", () => {
  const namesOf = ([name, { aliases = [] }]) => [name, ...aliases]
  const names = Object.entries(LANGUAGES).flatMap(namesOf)
  assert.equal(new Set(names).size, names.length)
  assert.equal(languageNamed("c++"), "cpp")
  assert.equal(languageNamed("mermaid"), undefined)
})

test("a language that is not here stays plain", async () => {
  assert.equal(await colour("brainfuck", "+-"), null)
  assert.equal(await colour("constructor", "+-"), null)
})

test("the pieces of a line have the colours that a reader expects", async () => {
  const text = "def add(a): # sum"
  const segments = await colour("python", text)
  let start = 0
  const pieces = segments.map(([length, name]) => [text.slice(start, start += length), name])
  assert.deepEqual(pieces, [
    ["def", "keyword"], [" ", "plain"], ["add", "name"], ["(a): ", "plain"], ["# sum", "comment"],
  ])
})
