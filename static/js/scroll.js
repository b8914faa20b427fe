// What is in sight: the end of the conversation, unless the reader went up; the field; the drawer; what a click opens.

// Browsers round positions; more than this would hold on to a reader who goes up slowly.
const NEAR = 8

export class Follower {
  #scroller
  #show
  #top = 0
  isFollowing = true

  /** `show` is told whether there is something new below what the reader sees. */
  constructor(scroller, show = () => {}) {
    this.#scroller = scroller
    this.#show = show
  }

  /** The conversation has become longer, or its window smaller. */
  grew() {
    if (this.isFollowing) this.#jump()
    else if (!this.isAtEnd) this.#show(true)
  }

  /** The position has changed, by whomever. */
  moved() {
    const { scrollTop } = this.#scroller
    if (scrollTop < this.#top - 1 && !this.isAtEnd) this.isFollowing = false
    else if (scrollTop >= this.#top && this.isAtEnd) this.follow()
    this.#top = scrollTop
  }

  /** The reader reaches for the page: a wheel turned up, a finger on the text. */
  release() {
    this.isFollowing = false
  }

  /** The finger is gone; if nothing moved under it, no scrolling will ever tell. */
  settle() {
    if (this.isAtEnd) this.follow()
  }

  /** To the end, and stay there. */
  follow() {
    this.isFollowing = true
    this.#show(false)
    this.#jump()
  }

  get isAtEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller
    return scrollHeight - clientHeight - scrollTop <= NEAR
  }

  #jump() {
    if (!this.isAtEnd || this.#scroller.scrollHeight - this.#scroller.clientHeight > this.#scroller.scrollTop) {
      this.#scroller.scrollTop = this.#scroller.scrollHeight
    }
    this.#top = this.#scroller.scrollTop
  }
}

/** Connects a Follower to what happens to an element and its content. */
export function followEnd(scroller, button, signal) {
  const follower = new Follower(scroller, hasNews => {
    button.hidden = !hasNews || !scroller.querySelector(".exchange") // a welcome is no news
  })
  const on = (target, type, listener) => target.addEventListener(type, listener, { signal, passive: true })
  on(scroller, "scroll", () => follower.moved())
  on(scroller, "wheel", event => event.deltaY < 0 && follower.release())
  on(scroller, "touchmove", () => follower.release())
  for (const type of ["touchend", "touchcancel"]) on(scroller, type, () => follower.settle())
  on(button, "click", () => follower.follow())
  const sizes = globalThis.ResizeObserver && new ResizeObserver(() => follower.grew())
  sizes?.observe(scroller)
  sizes?.observe(scroller.firstElementChild)
  signal.addEventListener("abort", () => sizes?.disconnect())
  return follower
}

/** iOS lays its keyboard over the page and pushes the page up; this keeps the page above the keyboard. */
export function stayAboveKeyboard(viewport, signal) {
  const root = document.documentElement
  const fit = () => {
    const isCovered = viewport.scale === 1 && innerHeight - viewport.height > 80
    if (isCovered) root.style.setProperty("--height", `${viewport.height}px`)
    else root.style.removeProperty("--height")
    if (isCovered) scrollTo(0, 0)
  }
  viewport?.addEventListener("resize", fit, { signal })
}

/** What is behind the drawer of a narrow page is out of reach; a drawer that closes leaves the keyboard at its switch. */
export function watchDrawer() {
  const drawer = document.getElementById("drawer")
  if (!drawer) return
  const narrow = globalThis.matchMedia?.("(max-width: 47.99rem)")
  const cover = () => { document.getElementById("main").inert = drawer.checked && narrow?.matches === true }
  drawer.addEventListener("change", () => {
    cover()
    if (!drawer.checked) drawer.focus({ preventScroll: true })
  })
  narrow?.addEventListener?.("change", cover)
}

const isTouchOnly = globalThis.matchMedia?.("(pointer: coarse) and (hover: none)") ?? { matches: false }

/** Fingers and nothing else: a laptop with a touch screen is no phone. */
export const isPhone = () => isTouchOnly.matches

/** On a desk the next question can be typed at once; on a phone the keyboard would cover the answer. */
export function settleFocus() {
  const field = document.getElementById("question")
  if (isPhone()) field.blur()
  else field.focus({ preventScroll: true })
}

/** Whoever signs out or deletes everything leaves nothing half written to the next person at this browser. */
export function forgetDrafts({ target }) {
  if (!/\/(forget|sign-out)$/.test(target.action)) return
  try {
    localStorage.removeItem("drafts")
  } catch {
    // Where storage is forbidden nothing was kept.
  }
}

/** Whether Esc belongs to somebody else: a picture is closed by it, a search emptied. */
export const isTheirs = ({ type }) => type === "search" || document.querySelector("dialog[open]")

/** A field becomes as high as its text, where style sheets cannot say so. */
export function grow(field) {
  if (globalThis.CSS?.supports?.("field-sizing", "content")) return
  field.style.height = "auto"
  field.style.height = `${field.scrollHeight}px`
}

/** The link that the page follows itself: to more of a list, to a picture opened large; none if a click wants a tab of its own. */
export function linkOf({ target, ctrlKey, metaKey, shiftKey, altKey }) {
  const link = !(ctrlKey || metaKey || shiftKey || altKey) && target.closest("[data-more], .picture, .image")
  return link && (link.matches("[data-more]") || link.querySelector("img")) ? link : null
}
