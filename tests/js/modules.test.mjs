// How modules depend on each other: in no circle, and on demand only upon what came with the page.
// What the page loads of them is compiled; a browser gets nothing else.

import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { test } from "node:test"

const FOLDER = new URL("../../static/js/", import.meta.url)
const COMPILED = new URL("../../static/compiled/", import.meta.url)
// It and what it imports come with every page.
const ENTRY = "site.js"
// The page for signing in has none of them.
const SIGNING_IN = ["puzzle.js"]

const names = readdirSync(FOLDER).filter(name => name.endsWith(".js"))
const sources = new Map(names.map(name => [name, readFileSync(new URL(name, FOLDER), "utf8")]))

const compiled = name => readFileSync(new URL(name, COMPILED), "utf8")

/** The modules that this pattern finds in a module. */
const find = (name, pattern) => [...sources.get(name).matchAll(pattern)].map(match => match[1])
const importedBy = name => find(name, /^(?:import|export)\b[^"()]*"\.\/([\w-]+\.js)"/gm)
const loadedBy = name => find(name, /\bload\("\.\/([\w-]+\.js)"\)/g)
const workersOf = name => find(name, /new URL\("\.\/([\w-]+\.js)", import\.meta\.url\)/g)
// load() itself, and what has to load in a worker.
const MAY_IMPORT = ["colouring-worker.js", "page.js"]

function reach(name, seen = new Set()) {
  for (const next of importedBy(name)) {
    if (seen.has(next)) continue
    seen.add(next)
    reach(next, seen)
  }
  return seen
}

const withPage = new Set([ENTRY, ...reach(ENTRY)])
const onDemand = new Set(names.flatMap(loadedBy))
const workers = new Set(names.flatMap(workersOf))

test("no module imports itself, however far round", () => {
  for (const name of names) assert.ok(!reach(name).has(name), name)
})

test("a module on demand imports only what came with the page", () => {
  assert.ok(onDemand.size > 3)
  for (const name of onDemand) {
    for (const imported of importedBy(name)) {
      assert.ok(withPage.has(imported), `${name} imports ${imported}, which could fail to load`)
    }
  }
})

test("a module on demand exists, and comes by load() alone", () => {
  for (const name of names) {
    for (const loaded of loadedBy(name)) assert.ok(sources.has(loaded), `${name}: ${loaded}`)
    assert.equal(sources.get(name).includes("import("), MAY_IMPORT.includes(name), name)
  }
})

test("what an answer needs comes with the page", () => {
  for (const name of ["turn.js", "stream.js", "drawing.js", "drafts.js", "beside.js"]) {
    assert.ok(withPage.has(name), name)
  }
})

test("a compiled module imports nothing but what came with the page", () => {
  for (const name of [ENTRY, ...onDemand, ...SIGNING_IN, ...workers]) {
    const matches = [...compiled(name).matchAll(/\b(?:from|import)\s*"\.\/([^"]+)"/g)]
    const expected = onDemand.has(name) && importedBy(name).length ? [ENTRY] : []
    assert.deepEqual([...new Set(matches.map(match => match[1]))], expected, name)
  }
})

test("the page's file exports what modules on demand import", () => {
  const list = /\bexport\s*\{([^}]*)\}/.exec(compiled(ENTRY))[1]
  const exported = new Set(list.split(",").map(item => item.trim().split(" as ").at(-1)))
  for (const name of onDemand) {
    const imports = [...sources.get(name).matchAll(/^import \{([^}]*)\} from "\.\//gm)]
    const wanted = imports.flatMap(match => match[1].split(",").map(item => item.trim()))
    for (const item of wanted.filter(Boolean)) assert.ok(exported.has(item), `${name}: ${item}`)
  }
})

test("each module is reached", () => {
  for (const name of SIGNING_IN) assert.deepEqual([...reach(name)], [])
  const reached = new Set([
    ...withPage,
    ...SIGNING_IN,
    ...onDemand,
    ...[...workers].flatMap(name => [name, ...reach(name)]),
  ])
  assert.deepEqual(names.filter(name => !reached.has(name)), [])
})
