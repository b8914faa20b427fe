// The languages whose code is coloured: their other names, and the languages that they embed.

export const LANGUAGES = {
  bash: { aliases: ["sh", "zsh"] },
  c: { aliases: ["h"] },
  cpp: { aliases: ["c++", "cc", "cxx", "hpp"] },
  csharp: { aliases: ["c#", "cs"] },
  css: {},
  dart: {},
  diff: { aliases: ["patch"] },
  dockerfile: { aliases: ["docker"], embeds: ["bash"] },
  go: { aliases: ["golang"] },
  ini: { aliases: ["toml", "conf", "properties"] },
  java: {},
  javascript: { aliases: ["js", "jsx", "mjs", "cjs", "node"] },
  json: { aliases: ["jsonc", "json5", "jsonl"] },
  kotlin: { aliases: ["kt", "kts"] },
  latex: { aliases: ["tex"] },
  lua: {},
  makefile: { aliases: ["make", "mk"] },
  markdown: { aliases: ["md"] },
  matlab: { aliases: ["octave"] },
  nginx: {},
  objectivec: { aliases: ["objc", "objective-c"] },
  perl: { aliases: ["pl"] },
  php: {},
  powershell: { aliases: ["ps", "ps1", "pwsh"] },
  python: { aliases: ["py", "python3", "py3", "gyp"] },
  r: {},
  ruby: { aliases: ["rb"] },
  rust: { aliases: ["rs"] },
  scala: {},
  shell: { aliases: ["console", "shellsession"], embeds: ["bash"] },
  sql: { aliases: ["mysql", "sqlite", "postgresql"] },
  swift: {},
  typescript: { aliases: ["ts", "tsx", "mts", "cts"] },
  xml: { aliases: ["html", "xhtml", "svg", "vue", "rss"], embeds: ["css", "javascript"] },
  yaml: { aliases: ["yml"] },
}

const names = new Map()
for (const [name, { aliases = [] }] of Object.entries(LANGUAGES)) {
  for (const alias of [name, ...aliases]) names.set(alias, name)
}

/** The key of LANGUAGES that a block of code means; undefined for a language that stays plain. */
export const languageNamed = word => names.get(word)
