// Compiles static/js: one file for every page, and one for each module on demand: `make js`.

import { createHash } from "node:crypto"
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

import { build } from "esbuild"

const SOURCE = new URL("../static/js/", import.meta.url)
const TARGET = new URL("../static/compiled/", import.meta.url)
// Loaded by a click or a key, by code in an answer, or by the second page of a list.
const ON_DEMAND = [
  "colouring.js", "copy.js", "files.js", "keys.js", "lightbox.js", "listen.js", "more.js",
  "rate.js", "rows.js", "share.js", "sheets.js", "speak.js", "theme.js",
]
// Of these none imports what the page has loaded.
const ALONE = ["site.js", "colouring-worker.js", "puzzle.js", "puzzle-worker.js"]

const path = url => fileURLToPath(url)
const OPTIONS = {
  outdir: path(TARGET),
  bundle: true,
  format: "esm",
  // What in-app browsers of 2020 can parse; tools/styles.mjs asks for the same ones.
  target: "es2020",
  charset: "utf8",
  legalComments: "none",
  minify: true,
  mangleProps: /^private_/,
  // Fields become assignments, as browsers of 2020 have them, without a function that defines each.
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
  external: ["../vendor/*"],
}
// A second copy of a module would have a state of its own.
const fromSite = {
  name: "from site.js",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\// }, () => ({ path: "./site.js", external: true }))
  },
}

// Private members are of 2021; to browsers of 2020 they are members with a short name.
const PRIVATE = /(\.|^ {2}(?:(?:async|get|set|static) )*)#(?=[a-z])/gm
const withoutPrivate = {
  name: "without private members",
  setup({ onLoad }) {
    onLoad({ filter: /static\/js\/[\w-]+\.js$/ }, ({ path: source }) => ({
      contents: readFileSync(source, "utf8").replace(PRIVATE, "$1private_"),
      loader: "ts",
    }))
  },
}

/** Which sources were compiled, in the format of sha256sum. */
function digests() {
  const lines = readdirSync(SOURCE).sort().map(name => {
    const digest = createHash("sha256").update(readFileSync(new URL(name, SOURCE))).digest("hex")
    return `${digest}  ../js/${name}\n`
  })
  return lines.join("")
}

const addresses = names => names.map(name => path(new URL(name, SOURCE)))

rmSync(TARGET, { recursive: true, force: true })
await build({ ...OPTIONS, entryPoints: addresses(ALONE), plugins: [withoutPrivate] })
await build({ ...OPTIONS, entryPoints: addresses(ON_DEMAND), plugins: [fromSite, withoutPrivate] })
writeFileSync(new URL("sources.sha256", TARGET), digests())
