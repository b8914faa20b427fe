// Light or dark by hand. The server's first byte has it, so that nothing flashes.

import { remember } from "./page.js"

export function changeTheme() {
  const root = document.documentElement
  const isDark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches
  root.dataset.theme = isDark ? "light" : "dark"
  const paper = getComputedStyle(root).getPropertyValue("--paper").trim()
  for (const meta of document.querySelectorAll("meta[name=theme-color]")) meta.content = paper
  remember("theme", root.dataset.theme)
}
