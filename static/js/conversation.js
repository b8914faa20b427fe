// The page becomes that of a conversation which has just begun.

import { copyOf } from "./page.js"

/** `title` names it in the list, unless it is there already. */
export function enterConversation(id, title) {
  for (const element of document.querySelectorAll("[data-path]")) {
    const attribute = element.localName === "form" ? "action" : "href"
    element.setAttribute(attribute, element.dataset.path.replace("{}", id))
  }
  if (!title) return
  document.querySelector(".menu-box").hidden = false
  document.getElementById("title").value = title
  const item = copyOf("conversation")
  item.querySelector("a").href = `/c/${id}`
  item.querySelector("span").textContent = title
  document.title = `${title} · ${document.title}`
  const list = document.getElementById("conversations")
  list.prepend(item)
  list.previousElementSibling.hidden = false
}
