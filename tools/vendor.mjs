// Puts what the page needs of other people's work into static/vendor: `make vendor`.

import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"

import subsetFont from "subset-font"

import { LANGUAGES } from "../static/js/languages.js"

const PACKAGES = new URL("../node_modules/", import.meta.url)
const TARGET = new URL("../static/vendor/", import.meta.url)
const FONT_FACES = new URL("../static/css/parts/maths.css", import.meta.url)
// What formulas are written with; the whole font has three times as much. The stretched forms of
// these signs, by which brackets and roots grow, come along.
const SIGNS = [
  // Latin and Greek, and the accents over them
  [0x20, 0x7e], [0xa0, 0xb1], [0xb4, 0xb7], [0xd7, 0xd7], [0xf7, 0xf7], [0x131, 0x131],
  [0x237, 0x237], [0x2c6, 0x2dd], [0x300, 0x338], [0x391, 0x3f6], [0x20d6, 0x20d7],
  [0x20db, 0x20dc],
  // dashes, dots and primes, signs that are not seen, letters of one meaning such as ℝ
  [0x2010, 0x2057], [0x2061, 0x2064], [0x2100, 0x214f], [0xfe00, 0xfe01],
  // arrows
  [0x2190, 0x21d5], [0x21da, 0x21dd], [0x27f5, 0x27ff],
  // operators and relations
  [0x2200, 0x22ff], [0x27c2, 0x27c2], [0x2a00, 0x2a0c], [0x2a3f, 0x2a3f], [0x2a7d, 0x2a8c],
  [0x2a95, 0x2a96], [0x2aaf, 0x2ab0], [0x2ab7, 0x2aba], [0x2ac5, 0x2acc],
  // brackets and braces
  [0x2308, 0x230b], [0x2320, 0x2321], [0x2329, 0x232a], [0x23b0, 0x23b1], [0x23b4, 0x23b5],
  [0x23dc, 0x23e1], [0x27e6, 0x27ef],
  // shapes
  [0x25a0, 0x25a1], [0x25b3, 0x25b3], [0x25b9, 0x25b9], [0x25bd, 0x25bd], [0x25c3, 0x25c3],
  [0x25c6, 0x25cb], [0x25cf, 0x25cf], [0x25ef, 0x25ef], [0x2605, 0x2606], [0x2660, 0x2667],
  [0x266d, 0x266f],
  // letters and digits: italic, bold, script, Fraktur, double-struck, sans-serif, of one width
  [0x1d400, 0x1d607], [0x1d670, 0x1d755], [0x1d7ce, 0x1d7e1], [0x1d7e2, 0x1d7eb],
  [0x1d7f6, 0x1d7ff],
]

function copyHighlighter() {
  const source = new URL("@highlightjs/cdn-assets/", PACKAGES)
  const target = new URL("highlight/", TARGET)
  mkdirSync(new URL("languages/", target), { recursive: true })
  copyFileSync(new URL("LICENSE", source), new URL("LICENSE", target))
  copyFileSync(new URL("es/core.min.js", source), new URL("core.min.js", target))
  for (const name of Object.keys(LANGUAGES)) {
    const path = `languages/${name}.min.js`
    copyFileSync(new URL(`es/${path}`, source), new URL(path, target))
  }
}

/** The files of the font, each with its ranges of signs, from the one that browsers ask first. */
function facesOf(sheet) {
  const faces = [...sheet.matchAll(/url\("[^"]*?([\w-]+\.woff2)"\).*?unicode-range: (.*?);/gs)]
  return faces.reverse().map(([, name, ranges]) => {
    const pairs = [...ranges.matchAll(/U\+(\w+)(?:-(\w+))?/g)]
    return [name, pairs.map(([, first, last = first]) => [parseInt(first, 16), parseInt(last, 16)])]
  })
}

async function cutFont() {
  const source = new URL("@fontsource/stix-two-math/", PACKAGES)
  const target = new URL("maths/", TARGET)
  mkdirSync(target, { recursive: true })
  copyFileSync(new URL("LICENSE", source), new URL("LICENSE", target))
  const whole = readFileSync(new URL("files/stix-two-math-latin-400-normal.woff2", source))
  let signs = SIGNS.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, at) => first + at))
  for (const [name, ranges] of facesOf(readFileSync(FONT_FACES, "utf8"))) {
    const isIn = sign => ranges.some(([first, last]) => first <= sign && sign <= last)
    const text = String.fromCodePoint(...signs.filter(isIn))
    signs = signs.filter(sign => !isIn(sign))
    // Other forms of a sign come along where it grows; not those that no browser asks for by itself.
    const options = { targetFormat: "woff2", noHinting: true, noLayoutClosure: true }
    writeFileSync(new URL(name, target), await subsetFont(whole, text, options))
  }
  if (signs.length) throw new Error(`in no file: ${String.fromCodePoint(...signs)}`)
}

rmSync(TARGET, { recursive: true, force: true })
copyHighlighter()
await cutFont()
