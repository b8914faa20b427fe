// Solves the puzzle of the page for signing in: the proof of work of chat/visitors/puzzles.py.

// crypto.subtle is missing on plain http, and too slow for one small block after another.
const ROUNDS = 64
const CONSTANTS = new Int32Array(ROUNDS)
const START = new Int32Array(8)

/** SHA-256's constants are the first bits of roots of the first primes, behind the point. */
const firstBits = root => Math.floor((root % 1) * 2 ** 32) | 0

for (let count = 0, number = 2; count < ROUNDS; number++) {
  let isPrime = true
  for (let divisor = 2; divisor * divisor <= number; divisor++) {
    if (number % divisor === 0) isPrime = false
  }
  if (!isPrime) continue
  if (count < 8) START[count] = firstBits(Math.sqrt(number))
  CONSTANTS[count++] = firstBits(Math.cbrt(number))
}

const words = new Int32Array(ROUNDS)

/** Takes a block of 16 words into the state. */
function compress(state, block) {
  for (let i = 0; i < 16; i++) words[i] = block[i]
  for (let i = 16; i < ROUNDS; i++) {
    const x = words[i - 15]
    const y = words[i - 2]
    const first = (x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3
    const second = (y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10
    words[i] = words[i - 16] + first + words[i - 7] + second | 0
  }
  let [a, b, c, d, e, f, g, h] = state
  for (let i = 0; i < ROUNDS; i++) {
    const sumOfE = (e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)
    const first = h + sumOfE + (e & f ^ ~e & g) + CONSTANTS[i] + words[i] | 0
    const sumOfA = (a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)
    const second = sumOfA + (a & b ^ a & c ^ b & c) | 0
    h = g
    g = f
    f = e
    e = d + first | 0
    d = c
    c = b
    b = a
    a = first + second | 0
  }
  state[0] += a
  state[1] += b
  state[2] += c
  state[3] += d
  state[4] += e
  state[5] += f
  state[6] += g
  state[7] += h
}

/** The digest of a text of ASCII, as eight words. */
function digest(text) {
  const blocks = new Int32Array((text.length + 8 >> 6) + 1 << 4)
  for (let i = 0; i < text.length; i++) blocks[i >> 2] |= text.charCodeAt(i) << 24 - (i % 4 * 8)
  blocks[text.length >> 2] |= 0x80 << 24 - (text.length % 4 * 8)
  blocks[blocks.length - 1] = text.length * 8
  const state = START.slice()
  for (let i = 0; i < blocks.length; i += 16) compress(state, blocks.subarray(i, i + 16))
  return state
}

/** The nonce that solves a puzzle of so many bits, at most 32. */
export function solve(puzzle, bits) {
  const block = new Int32Array(16)
  block.set(digest(puzzle))
  // A message of 40 bytes: the seed of 32, the nonce of 8.
  block[10] = 0x80000000
  block[15] = 40 * 8
  const state = new Int32Array(8)
  for (let nonce = 0; ; nonce++) {
    block[8] = nonce / 2 ** 32
    block[9] = nonce | 0
    state.set(START)
    compress(state, block)
    if (Math.clz32(state[0]) >= bits) return nonce
  }
}

globalThis.addEventListener?.("message", ({ data: { puzzle, bits } }) => {
  postMessage(solve(puzzle, bits))
})
