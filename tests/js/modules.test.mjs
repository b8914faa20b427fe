// How modules depend on each other: in no circle, and on demand only upon what came with the page.

import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { test } from "node:test"

const FOLDER = new URL("../../static/js/", import.meta.url)
// The entries that templates name, and what they import, come with every page that has a form.
const ENTRIES = ["composer.js", "frame.js"]
// The page for signing in has none of them.
const SIGNING_IN = ["puzzle.js"]

const names = readdirSync(FOLDER).filter(name => name.endsWith(".js"))
const sources = new Map(names.map(name => [name, readFileSync(new URL(name, FOLDER), "utf8")]))

/** The modules that this pattern finds in a module. */
const find = (name, pattern) => [...sources.get(name).matchAll(pattern)].map(match => match[1])
const importedBy = name => find(name, /^(?:import|export)\b[^"]*"\.\/([\w-]+\.js)"/gm)
// load("./x.js"), and the list of what a turn needs.
const loadedBy = name => find(name, /(?:load\(|[[ ])"\.\/([\w-]+\.js)"[\],)]/g)
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

const withPage = new Set(ENTRIES.flatMap(name => [name, ...reach(name)]))

test("no module imports itself, however far round", () => {
  for (const name of names) assert.ok(!reach(name).has(name), name)
})

test("a module on demand imports only what came with the page", () => {
  const onDemand = new Set(names.flatMap(loadedBy))
  assert.ok(onDemand.size > 5)
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

test("each module is reached", () => {
  const workers = names.flatMap(workersOf)
  for (const name of SIGNING_IN) assert.deepEqual([...reach(name)], [])
  const reached = new Set([
    ...withPage,
    ...SIGNING_IN,
    ...names.flatMap(loadedBy),
    ...workers.flatMap(name => [name, ...reach(name)]),
  ])
  assert.deepEqual(names.filter(name => !reached.has(name)), [])
})
