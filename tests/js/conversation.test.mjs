// The title of a conversation that has just begun is the one that the server gives it.

import assert from "node:assert/strict"
import { test } from "node:test"

import { titleOf } from "../../static/js/conversation.js"

const CHARACTERS = ["字", "👨‍👩‍👧‍👦", "🇨🇳", "e\u0301", "👍🏽", "❤️", "🎉"]

test("a title is one line of the question, and says where it was cut", () => {
  assert.equal(titleOf("  what\n is   this?"), "what is this?")
  assert.equal(titleOf("字".repeat(40)), "字".repeat(40))
  assert.equal(titleOf("字".repeat(41)), `${"字".repeat(39)}…`)
})

test("a title ends with a whole character", () => {
  for (const character of CHARACTERS) {
    for (let before = 28; before <= 40; before++) {
      const title = titleOf("x".repeat(before) + character.repeat(20))
      const rest = title.slice(Math.min(before, 39)).replace("…", "")
      const count = Math.floor((39 - Math.min(before, 39)) / [...character].length)
      assert.equal(rest, character.repeat(count), character)
    }
  }
})

test("a browser that knows no characters cuts no half of one", () => {
  const { Segmenter } = Intl
  delete Intl.Segmenter
  try {
    assert.equal(titleOf("🎉".repeat(50)), `${"🎉".repeat(39)}…`)
  } finally {
    Intl.Segmenter = Segmenter
  }
})
