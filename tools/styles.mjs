// Compiles static/css: Tailwind, then into what browsers of 2020 understand: `make css`.

import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

import { Features, transform } from "lightningcss"

// In-app browsers are old. The scripts ask for the same ones (tools/compile.mjs).
const SAFARI = (13 << 16) | (1 << 8)
const OLDEST = { chrome: 80 << 16, firefox: 74 << 16, safari: SAFARI, ios_saf: SAFARI }
const LICENCE = /\/\*!.*?\*\//s
const LAYERS = ["properties", "theme", "base", "components", "utilities"]
// The page itself runs from left to right in both languages; some of these came later than 2020.
const SIDES = {
  "padding-inline": ["padding-left", "padding-right"],
  "padding-block": ["padding-top", "padding-bottom"],
  "margin-inline": ["margin-left", "margin-right"],
  "margin-block": ["margin-top", "margin-bottom"],
  inset: ["top", "right", "bottom", "left"],
}
// Of Tailwind's reset: elements that no page has, and the colour of placeholders, which is ours.
const UNUSED = /^(abbr|::-webkit-(date|calendar|inner-spin)|::file-|::-moz-ui|:where\(select|@supp)/
// What the reset says for a theme without fonts, and of the features of a font: ours has the former
// and leaves the latter alone.
const FALLBACKS = /(var\(--default(?:-mono)?-font-family), [^;]*\)|font-(?:feature|variation)-settings: var\(--default[^;]*;/g
// Where the button of a field for files is seen, it is the browser's own.
const FILE_BUTTON = /,\s*::file-selector-button/
// What light-dark() would be made of; tokens.css does without it.
const FOR_LIGHT_DARK = /^ *--lightningcss-.*\n/gm
const CHOICES = new Set(["is", "where"])
const THEME = ":root, :host"
// What is compiled to what. A page begins with the first sheet; the rest has what that has not.
const SHEETS = { "first.css": "page.css", "app.css": "rest.css", "desk/desk.css": "desk.css" }
const BEFORE = { "app.css": "first.css" }

const path = relative => fileURLToPath(new URL(relative, import.meta.url))

/** What Tailwind makes of a style sheet, without comments. */
function tailwind(input) {
  const tool = path("../node_modules/.bin/tailwindcss")
  const options = { stdio: ["ignore", "pipe", "ignore"] }
  const code = execFileSync(tool, ["--input", input], options)
  const { code: plain } = transform({ filename: input, code })
  return String(plain).replace(LICENCE, "")
}

/** The rules of a style sheet at its top, as [prelude, body]; a body is null where there is none. */
function* topRules(css) {
  let depth = 0
  let start = 0
  let body = 0
  for (const { 0: sign, index } of css.matchAll(/"(?:\\.|[^"])*"|\/\*.*?\*\/|[{};]/gs)) {
    if (sign === "{" && depth++ === 0) body = index + 1
    const isEnd = sign === "}" ? --depth === 0 : sign === ";" && depth === 0
    if (!isEnd) continue
    const prelude = css.slice(start, sign === "}" ? body - 1 : index).trim()
    yield [prelude, sign === "}" ? css.slice(body, index) : null]
    start = index + 1
  }
}

/**
 * Plain rules in the order of their layers, since browsers before 2022 drop an @layer as a whole.
 * From here on specificity counts between layers too.
 */
function flatten(css) {
  const layers = new Map(LAYERS.map(name => [name, []]))
  const rest = []
  for (const [prelude, body] of topRules(css)) {
    const layer = /^@layer (\S+)$/.exec(prelude)?.[1]
    if (layer === "base") layers.get(layer).push(withoutUnused(body))
    else if (layer && body !== null) layers.get(layer).push(body)
    else if (!/^@(layer|property)/.test(prelude)) rest.push(`${prelude}{${body}}`)
  }
  // What @property would say, told to every browser instead of to those that do not know it.
  const initial = layers.get("properties").flatMap(body => [...topRules(body)])
  layers.set("properties", initial.map(([, body]) => body))
  return [...layers.values(), rest].flat().join("\n")
}

/** The rules of a layer but those for elements that no page has. */
function withoutUnused(body) {
  const plain = body.replace(FALLBACKS, (_, font) => font ? `${font})` : "")
  const rules = [...topRules(plain)].filter(([prelude]) => !UNUSED.test(prelude))
  return rules.map(([prelude, content]) => `${prelude.replace(FILE_BUTTON, "")}{${content}}`).join("\n")
}

/** The two values of a shorthand, which spaces separate outside brackets. */
const valuesOf = text => text.match(/(?:[^\s(]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))+/g)

/** Shorthands for several sides become the sides. */
function nameSides(css) {
  const shorthand = /^( *)((?:padding|margin)-(?:inline|block)|inset): (.+?)( !important)?;$/gm
  return css.replace(shorthand, (_, indent, name, value, mark = "") => {
    const values = valuesOf(value)
    // What is left out is as the side across, or else as the first.
    const valueOf = number => values[number] ?? values[number - 2] ?? values[0]
    return SIDES[name].map((side, at) => `${indent}${side}: ${valueOf(at)}${mark};`).join("\n")
  })
}

/** The selectors without :is() and :where(), one for each choice. */
function spellOut(selector) {
  const at = selector.findIndex(({ type, kind }) => type === "pseudo-class" && CHOICES.has(kind))
  if (at < 0) return [selector]
  const [before, after] = [selector.slice(0, at), selector.slice(at + 1)]
  return selector[at].selectors.flatMap(choice => spellOut([...before, ...choice, ...after]))
}

/** The rules of a style sheet that another has not; of the theme, the lines. */
function without(css, known) {
  const partsOf = text => [...topRules(text)].flatMap(([prelude, body]) => {
    const lines = prelude === THEME ? body.trim().split("\n") : [body]
    return lines.map(line => `${prelude}{${line}}`)
  })
  const knownParts = new Set(partsOf(known))
  return partsOf(css).filter(part => !knownParts.has(part)).join("\n")
}

const pathOf = name => path(`../static/css/${name}`)
const plain = Object.fromEntries(
  Object.keys(SHEETS).map(name => [name, flatten(tailwind(pathOf(name)))]),
)

for (const [input, output] of Object.entries(SHEETS)) {
  const before = plain[BEFORE[input]]
  const code = Buffer.from(before ? without(plain[input], before) : plain[input])
  // No feature of selectors is left out: one is enough, and a list that some browser drops as a whole
  // for one of its selectors is written as it stands.
  // And where there is no light-dark(), there is no need of variables that stand in for it.
  const exclude = Features.LogicalProperties | Features.LightDark
  const options = { filename: pathOf(input), code, targets: OLDEST, exclude, visitor: { Selector: spellOut } }
  const { code: compiled } = transform(options)
  writeFileSync(pathOf(output), nameSides(String(compiled).replace(FOR_LIGHT_DARK, "")))
}
