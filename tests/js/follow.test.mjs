// The end of the conversation is followed, unless the reader went up.

import assert from "node:assert/strict"
import { test } from "node:test"

import { Follower } from "../../static/js/follow.js"

/** A window of 500 onto a page that grows; positions are clamped as browsers do. */
class Page {
  clientHeight = 500
  scrollHeight = 500
  #top = 0
  get scrollTop() { return this.#top }
  set scrollTop(top) {
    this.#top = Math.max(0, Math.min(top, this.scrollHeight - this.clientHeight))
  }
}

function open(height = 2000) {
  const page = new Page()
  const ways = []
  const follower = new Follower(page, (isWanted, hasNews) => ways.push([isWanted, hasNews]))
  page.scrollHeight = height
  follower.follow()
  const grow = by => {
    follower.expectNews()
    page.scrollHeight += by
    follower.grew()
  }
  const scroll = to => { page.scrollTop = to; follower.moved() }
  return { page, follower, grow, scroll, ways }
}

test("a browser that moves the page since its window has another size is no reader who goes up", () => {
  const { page, follower, scroll } = open()
  page.clientHeight = 400
  scroll(1450)
  assert.ok(follower.isFollowing)
  assert.equal(page.scrollTop, 1600)
})

test("a growing answer is followed", () => {
  const { page, grow } = open()
  grow(300)
  grow(1)
  assert.equal(page.scrollTop, 1801)
})

test("a reader who goes up is left alone, and is shown that there is news", () => {
  const { page, grow, scroll, ways } = open()
  scroll(1000)
  grow(300)
  assert.equal(page.scrollTop, 1000)
  assert.deepEqual(ways.at(-1), [true, true])
})

test("a reader who only went up is shown a way to the end, and no news", () => {
  const { scroll, ways } = open()
  scroll(1450)
  assert.deepEqual(ways.at(-1), [false, false])
  scroll(1000)
  assert.deepEqual(ways.at(-1), [true, false])
})

test("what a reader opens is no news, and neither is a smaller window", () => {
  const { page, follower, scroll, ways } = open()
  scroll(1000)
  page.scrollHeight += 300
  follower.grew()
  page.clientHeight = 300
  follower.grew()
  assert.deepEqual(ways.at(-1), [true, false])
})

test("a reader who goes up by a hair is left alone as well", () => {
  const { page, follower, grow, scroll } = open()
  follower.release()
  scroll(1497)
  grow(300)
  assert.equal(page.scrollTop, 1497)
})

test("whoever comes back to the end follows again", () => {
  const { page, follower, grow, scroll, ways } = open()
  scroll(1000)
  grow(300)
  scroll(1799)
  assert.equal(follower.isFollowing, true)
  assert.deepEqual(ways.at(-1), [false, false])
  grow(100)
  assert.equal(page.scrollTop, 1900)
})

test("a wheel turned up releases at once", () => {
  const { page, follower, grow } = open()
  follower.release()
  grow(300)
  assert.equal(page.scrollTop, 1500)
})

test("a finger that moved nothing is followed on, one that went up is not", () => {
  const { page, follower, grow, scroll } = open()
  follower.release()
  follower.settle()
  grow(300)
  assert.equal(page.scrollTop, 1800)
  follower.release()
  scroll(1000)
  follower.settle()
  grow(300)
  assert.equal(page.scrollTop, 1000)
})

test("the button goes to the end and stays there", () => {
  const { page, follower, grow, scroll } = open()
  scroll(0)
  grow(300)
  follower.follow()
  grow(50)
  assert.equal(page.scrollTop, 1850)
})

test("a block that becomes shorter does not count as going up", () => {
  const { page, follower, grow } = open()
  page.scrollHeight -= 200
  page.scrollTop = page.scrollTop // browsers clamp
  follower.moved()
  assert.equal(follower.isFollowing, true)
  grow(500)
  assert.equal(page.scrollTop, 1800)
})

test("what became shorter above while the end grew does not count as going up", () => {
  const { page, follower, grow, scroll } = open()
  grow(0)
  page.scrollHeight += 100 - 900
  scroll(600)
  assert.ok(follower.isFollowing)
  assert.equal(page.scrollTop, 700)
})

test("a smaller window keeps the end in view", () => {
  const { page, follower } = open()
  page.clientHeight = 300
  follower.grew()
  assert.equal(page.scrollTop, 1700)
})
