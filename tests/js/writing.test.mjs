// Drafts are kept and bounded; characters are counted as the server counts them; files are judged by name and size.

import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"

class Storage {
  #items = new Map()
  getItem(key) { return this.#items.get(key) ?? null }
  setItem(key, value) { this.#items.set(key, value) }
  removeItem(key) { this.#items.delete(key) }
}

const put = storage => Object.defineProperty(globalThis, "localStorage", { value: storage, configurable: true })

put(new Storage())
const { add, find, forget, keep, lengthOf, room } = await import("../../static/js/draft.js")
const { isNameless, pictureName, refusal, tidy } = await import("../../static/js/upload.js")

beforeEach(() => put(new Storage()))

test("a draft is kept for its conversation alone", () => {
  keep("one", "first")
  keep("two", "second")
  keep("one", "first, longer")
  assert.equal(find("one"), "first, longer")
  assert.equal(find("two"), "second")
  assert.equal(find("three"), "")
})

test("a blank draft is forgotten, and the last one takes the storage with it", () => {
  keep("one", "words")
  keep("one", " \n")
  assert.equal(find("one"), "")
  assert.equal(localStorage.getItem("drafts"), null)
})

test("of fifty-one drafts the oldest is dropped", () => {
  for (let number = 0; number <= 50; number++) keep(`c${number}`, `text ${number}`)
  assert.equal(find("c0"), "")
  assert.equal(find("c1"), "text 1")
  assert.equal(find("c50"), "text 50")
})

test("drafts that are too much together lose the oldest, never the newest", () => {
  keep("old", "x".repeat(150_000))
  keep("new", "y".repeat(150_000))
  assert.equal(find("old"), "")
  assert.equal(find("new").length, 150_000)
  keep("huge", "z".repeat(900_000))
  assert.equal(find("huge").length, 900_000)
})

test("a text is added in front of what is there, once", () => {
  keep("agent", "already there")
  add("agent", "from elsewhere")
  add("agent", "from elsewhere")
  assert.equal(find("agent"), "from elsewhere\nalready there")
})

test("a question that was asked is a draft nowhere", () => {
  keep("one", "asked")
  keep("two", "asked")
  keep("three", "not asked")
  forget("asked")
  assert.deepEqual([find("one"), find("two"), find("three")], ["", "", "not asked"])
})

test("storage that is forbidden, full or full of nonsense loses nobody a word", () => {
  const fail = () => { throw new Error("SecurityError") }
  put({ getItem: fail, setItem: fail, removeItem: fail })
  keep("one", "text")
  assert.equal(find("one"), "")
  for (const nonsense of ["{", "null", "7", '{"a":1}', '["a", 3, null]']) {
    put(new Storage())
    localStorage.setItem("drafts", nonsense)
    assert.equal(find("a"), "", nonsense)
    keep("one", "text")
    assert.equal(find("one"), "text", nonsense)
  }
})

test("characters are counted as Python counts them", () => {
  assert.equal(lengthOf("你好"), 2)
  assert.equal(lengthOf("🎉"), 1)
  assert.equal(lengthOf("👨‍👩‍👧"), 5)
  assert.equal(lengthOf("a\r\nb\rc\nd"), 7)
})

test("room is told of near the limit and beyond it", () => {
  assert.equal(room(90, 100), null)
  assert.deepEqual(room(91, 100), { name: "left", count: 9 })
  assert.deepEqual(room(100, 100), { name: "left", count: 0 })
  assert.deepEqual(room(112, 100), { name: "over", count: 12 })
})

const rules = { accept: ".pdf,.png", most: "2", mostBytes: "100" }

test("a file is judged by its ending, its size, and how many there are", () => {
  assert.equal(refusal("报告.PDF", 100, 1, rules), "")
  assert.equal(refusal("virus.exe", 1, 0, rules), "wrongKind")
  assert.equal(refusal("pdf", 1, 0, rules), "wrongKind")
  assert.equal(refusal("a.pdf.exe", 1, 0, rules), "wrongKind")
  assert.equal(refusal("a.pdf", 101, 0, rules), "tooLarge")
  assert.equal(refusal("a.pdf", 1, 2, rules), "tooMany")
})

test("names become such that every system takes them", () => {
  assert.equal(tidy("Screenshot at 3.45\u202fPM.png"), "Screenshot at 3.45 PM.png")
  assert.equal(tidy("a/b\\c:d\u0000\u200b.png"), "a-b-c-d--.png")
  const long = tidy("字".repeat(300) + ".pdf")
  assert.equal(long.length, 200)
  assert.ok(long.endsWith(".pdf"))
})

test("pictures from the clipboard get names that tell them apart", () => {
  assert.equal(isNameless({ name: "image.png", type: "image/png" }), true)
  assert.equal(isNameless({ name: "", type: "image/png" }), true)
  assert.equal(isNameless({ name: "garden.png", type: "image/png" }), false)
  assert.equal(isNameless({ name: "", type: "text/plain" }), false)
  assert.equal(pictureName("image/png", 1), "image-1.png")
  assert.equal(pictureName("image/jpeg", 2), "image-2.jpg")
})
