import assert from "node:assert/strict"
import { test } from "node:test"
import { takePortion } from "../../static/js/drawing.js"

const blocks = (...sizes) => sizes.map(size => "x".repeat(size))
const sizes = blocks => blocks.map(block => block.length)

test("what is little is taken whole", () => {
  const waiting = blocks(10, 20, 30)
  assert.deepEqual(sizes(takePortion(waiting)), [10, 20, 30])
  assert.deepEqual(waiting, [])
})

test("of much, a portion is taken from the front, and nothing is lost or turned round", () => {
  const all = Array.from({ length: 3000 }, (_, number) => 7 + number % 90)
  const waiting = blocks(...all)
  const taken = []
  let portions = 0
  while (waiting.length) {
    const portion = takePortion(waiting)
    assert.ok(portion.join("").length <= 20_000)
    taken.push(...sizes(portion))
    portions++
  }
  assert.deepEqual(taken, all)
  assert.ok(portions > 5)
})

test("a block larger than a portion is drawn alone", () => {
  const waiting = blocks(50_000, 10)
  assert.deepEqual(sizes(takePortion(waiting)), [50_000])
  assert.deepEqual(sizes(takePortion(waiting)), [10])
})

test("nothing is a portion too", () => assert.deepEqual(takePortion([]), []))
