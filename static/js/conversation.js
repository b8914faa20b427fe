// The page becomes that of a conversation which has just begun.

import { copyOf } from "./page.js"

// As in chat/storage/titles.py, which writes the title that is read later.
const TITLE_CHARS = 40

/** The title of a new conversation: its first question, one line, cut between characters. */
export function titleOf(question) {
  const line = question.trim().replace(/\s+/g, " ")
  if ([...line].length <= TITLE_CHARS) return line
  let title = ""
  let room = TITLE_CHARS - 1
  for (const character of charactersOf(line)) {
    room -= [...character].length
    if (room < 0) break
    title += character
  }
  return `${title}…`
}

/** What a reader takes for one character may be many to a machine: 👨‍👩‍👧. */
function charactersOf(text) {
  // Older browsers.
  if (!globalThis.Intl?.Segmenter) return text
  return Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment)
}

/** `title` names it in the list; if it is there already, only the new exchange has to know it. */
export function enterConversation(id, title, exchange) {
  for (const element of (title ? document : exchange).querySelectorAll("[data-path]")) {
    const attribute = element.localName === "form" ? "action" : "href"
    element.setAttribute(attribute, element.dataset.path.replace("{}", id))
  }
  if (!title) return
  document.querySelector(".menu-box").hidden = false
  document.getElementById("title").value = title
  const item = copyOf("conversation")
  item.querySelector("a").href = `/c/${id}`
  item.querySelector("a .truncate").textContent = title
  const more = item.querySelector(".row-more")
  more.href = `/c/${id}?menu=1`
  const label = more.getAttribute("aria-label").replace("“”", () => `“${title}”`)
  more.setAttribute("aria-label", label)
  document.title = `${title} · ${document.title}`
  // Until now its agent was the page.
  document.querySelector(".sidebar [aria-current]")?.removeAttribute("aria-current")
  const list = document.getElementById("conversations")
  list.prepend(item)
  list.previousElementSibling.hidden = false
}
