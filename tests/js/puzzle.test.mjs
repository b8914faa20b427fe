// The puzzle for signing in is solved as the server checks it.

import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { test } from "node:test"
import { solve } from "../../static/js/puzzle-worker.js"

const sha256 = data => createHash("sha256").update(data).digest()

function leadingZeros(puzzle, nonce) {
  const end = Buffer.alloc(8)
  end.writeBigUInt64BE(BigInt(nonce))
  return Math.clz32(sha256(Buffer.concat([sha256(puzzle), end])).readUInt32BE(0))
}

test("a solution has the zeros, and is the first", () => {
  // Texts of every length, around the ends of SHA-256's blocks of 64 bytes.
  for (let length = 0; length < 140; length++) {
    const puzzle = "Wz.x-_9".repeat(20).slice(0, length)
    const nonce = solve(puzzle, 6)
    assert(leadingZeros(puzzle, nonce) >= 6)
    for (let earlier = 0; earlier < nonce; earlier++) assert(leadingZeros(puzzle, earlier) < 6)
  }
})
