// Light or dark by hand. A cookie, so that the server's first byte has it and nothing flashes.

export function changeTheme() {
  const root = document.documentElement
  const isDark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches
  root.dataset.theme = isDark ? "light" : "dark"
  const paper = getComputedStyle(root).getPropertyValue("--paper").trim()
  for (const meta of document.querySelectorAll("meta[name=theme-color]")) meta.content = paper
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`
}
