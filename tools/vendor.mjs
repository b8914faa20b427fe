// Copies what the page needs of highlight.js from node_modules into static/vendor: `make vendor`.

import { copyFileSync, mkdirSync, rmSync } from "node:fs"

import { LANGUAGES } from "../static/js/languages.js"

const SOURCE = new URL("../node_modules/@highlightjs/cdn-assets/", import.meta.url)
const TARGET = new URL("../static/vendor/highlight/", import.meta.url)

rmSync(TARGET, { recursive: true, force: true })
mkdirSync(new URL("languages/", TARGET), { recursive: true })
copyFileSync(new URL("LICENSE", SOURCE), new URL("LICENSE", TARGET))
copyFileSync(new URL("es/core.min.js", SOURCE), new URL("core.min.js", TARGET))
for (const name of Object.keys(LANGUAGES)) {
  const path = `languages/${name}.min.js`
  copyFileSync(new URL(`es/${path}`, SOURCE), new URL(path, TARGET))
}
