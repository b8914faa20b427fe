// Drafts are stored and bounded; characters are counted as the server does; files are checked.

import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"

class Storage {
  #items = new Map()
  getItem(key) { return this.#items.get(key) ?? null }
  setItem(key, value) { this.#items.set(key, value) }
  removeItem(key) { this.#items.delete(key) }
}

const put = storage => {
  Object.defineProperty(globalThis, "localStorage", { value: storage, configurable: true })
}

put(new Storage())
const { lengthOf, roomLeft } = await import("../../static/js/counter.js")
const { findDraft, forgetDraft, keepDraft, prependDraft } =
  await import("../../static/js/drafts.js")
const { isNameless, pictureName, refusal, tidyName } = await import("../../static/js/files.js")

beforeEach(() => put(new Storage()))

test("a draft is kept for its conversation alone", () => {
  keepDraft("one", "first")
  keepDraft("two", "second")
  keepDraft("one", "first, longer")
  assert.equal(findDraft("one"), "first, longer")
  assert.equal(findDraft("two"), "second")
  assert.equal(findDraft("three"), "")
})

test("a blank draft is forgotten, and the last one takes the storage with it", () => {
  keepDraft("one", "words")
  keepDraft("one", " \n")
  assert.equal(findDraft("one"), "")
  assert.equal(localStorage.getItem("drafts"), null)
})

test("of fifty-one drafts the oldest is dropped", () => {
  for (let number = 0; number <= 50; number++) keepDraft(`c${number}`, `text ${number}`)
  assert.equal(findDraft("c0"), "")
  assert.equal(findDraft("c1"), "text 1")
  assert.equal(findDraft("c50"), "text 50")
})

test("drafts that are too much together lose the oldest, never the newest", () => {
  keepDraft("old", "x".repeat(150_000))
  keepDraft("new", "y".repeat(150_000))
  assert.equal(findDraft("old"), "")
  assert.equal(findDraft("new").length, 150_000)
  keepDraft("huge", "z".repeat(900_000))
  assert.equal(findDraft("huge").length, 900_000)
})

test("a text is added in front of what is there, once", () => {
  keepDraft("agent", "already there")
  prependDraft("agent", "from elsewhere")
  prependDraft("agent", "from elsewhere")
  assert.equal(findDraft("agent"), "from elsewhere\nalready there")
})

test("a question that was asked is a draft nowhere", () => {
  keepDraft("one", "asked")
  keepDraft("two", "asked")
  keepDraft("three", "not asked")
  forgetDraft("asked")
  assert.deepEqual([findDraft("one"), findDraft("two"), findDraft("three")], ["", "", "not asked"])
})

test("storage that is forbidden, full or full of nonsense loses nobody a word", () => {
  const fail = () => { throw new Error("SecurityError") }
  put({ getItem: fail, setItem: fail, removeItem: fail })
  keepDraft("one", "text")
  assert.equal(findDraft("one"), "")
  for (const nonsense of ["{", "null", "7", '{"a":1}', '["a", 3, null]']) {
    put(new Storage())
    localStorage.setItem("drafts", nonsense)
    assert.equal(findDraft("a"), "", nonsense)
    keepDraft("one", "text")
    assert.equal(findDraft("one"), "text", nonsense)
  }
})

test("characters are counted as Python counts them", () => {
  assert.equal(lengthOf("你好"), 2)
  assert.equal(lengthOf("🎉"), 1)
  assert.equal(lengthOf("👨‍👩‍👧"), 5)
  assert.equal(lengthOf("a\r\nb\rc\nd"), 7)
})

test("the room left is counted near the limit and beyond it", () => {
  assert.equal(roomLeft(90, 100), null)
  assert.deepEqual(roomLeft(91, 100), { name: "left", count: 9 })
  assert.deepEqual(roomLeft(100, 100), { name: "left", count: 0 })
  assert.deepEqual(roomLeft(112, 100), { name: "over", count: 12 })
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
  assert.equal(tidyName("Screenshot at 3.45\u202fPM.png"), "Screenshot at 3.45 PM.png")
  assert.equal(tidyName("a/b\\c:d\u0000\u200b.png"), "a-b-c-d--.png")
  const long = tidyName("字".repeat(300) + ".pdf")
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
