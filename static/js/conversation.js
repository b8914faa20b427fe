// The page becomes that of a conversation which has just begun.

/** `title` names it in the list, unless it is there already. */
export function enter(id, title) {
  history.replaceState(null, "", `/c/${id}`)
  const forget = document.querySelector("form[data-forget]")
  forget.action = `/c/${id}/clear`
  forget.hidden = false
  if (!title) return
  const item = document.getElementById("conversation").content.firstElementChild.cloneNode(true)
  item.querySelector("a").href = `/c/${id}`
  item.querySelector("span").textContent = title
  document.title = `${title} · ${document.title}`
  document.getElementById("conversations").prepend(item)
}
