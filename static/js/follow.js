// The end of the conversation is followed while an answer grows, unless the reader went up.

// Browsers round positions; more than this would hold on to a reader who goes up slowly.
const NEAR_PX = 8
// From here on a reader may want to be taken back.
const FAR_PX = 200

export class Follower {
  #scroller
  #showWay
  #top = 0
  #size
  #height = 0
  #isGrowing = false
  #hasNews = false
  isFollowing = true

  /** `showWay` is called with whether a way to the end is wanted, and whether there is news. */
  constructor(scroller, showWay = () => {}) {
    this.#scroller = scroller
    this.#showWay = showWay
    this.#size = this.#window
  }

  /** An answer goes on; the conversation grows with the next frame. */
  expectNews() {
    this.#isGrowing = true
  }

  /** The conversation has become longer, or its window smaller: by news, or by a reader's click. */
  grew() {
    this.#size = this.#window
    this.#height = this.#scroller.scrollHeight
    if (this.isFollowing) this.#jump()
    else if (this.#isGrowing && !this.isAtEnd) this.#hasNews = true
    this.#isGrowing = false
    this.#tell()
  }

  /**
   * The position has changed, by whomever: by the browser, when the window has another size or the
   * conversation has become shorter.
   */
  moved() {
    const { scrollTop, scrollHeight } = this.#scroller
    if (this.#size !== this.#window || scrollHeight < this.#height) return this.grew()
    if (scrollTop < this.#top - 1 && !this.isAtEnd) this.isFollowing = false
    else if (scrollTop >= this.#top && this.isAtEnd) this.follow()
    this.#top = scrollTop
    this.#height = scrollHeight
    this.#tell()
  }

  /** The reader reaches for the page: a wheel turned up, a finger on the text. */
  release() {
    this.isFollowing = false
  }

  /** The finger is gone; if nothing moved under it, no scroll event will come. */
  settle() {
    if (this.isAtEnd) this.follow()
  }

  /** Goes to the end and stays there. */
  follow() {
    this.isFollowing = true
    this.#hasNews = false
    this.#jump()
    this.#tell()
  }

  /** The same with the next picture: to look where the end is would hold up a click. */
  followSoon() {
    this.isFollowing = true
    requestAnimationFrame(() => this.follow())
  }

  get isAtEnd() {
    return this.#below <= NEAR_PX
  }

  get #window() {
    const { clientWidth, clientHeight } = this.#scroller
    return `${clientWidth} ${clientHeight}`
  }

  get #below() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller
    return scrollHeight - clientHeight - scrollTop
  }

  #tell() {
    const isAway = !this.isFollowing && this.#below > FAR_PX
    this.#showWay(isAway || this.#hasNews, this.#hasNews)
  }

  #jump() {
    if (this.#below > 0) this.#scroller.scrollTop = this.#scroller.scrollHeight
    this.#top = this.#scroller.scrollTop
  }
}

/** Even what changes nothing would have the page drawn once more. */
function show(element, isShown) {
  if (element.hidden === isShown) element.hidden = !isShown
}

/** Connects a Follower to what happens to an element and its content. */
export function followEnd(scroller, button, signal) {
  const follower = new Follower(scroller, (isWanted, hasNews) => {
    const isWelcome = !scroller.querySelector(".exchange")
    show(button, isWanted && !isWelcome)
    show(button.lastElementChild, hasNews)
  })
  const options = { signal, passive: true }
  scroller.addEventListener("scroll", () => follower.moved(), options)
  scroller.addEventListener("wheel", event => event.deltaY < 0 && follower.release(), options)
  scroller.addEventListener("touchmove", () => follower.release(), options)
  scroller.addEventListener("touchend", () => follower.settle(), options)
  scroller.addEventListener("touchcancel", () => follower.settle(), options)
  button.addEventListener("click", () => follower.follow(), options)
  const sizes = globalThis.ResizeObserver && new ResizeObserver(() => follower.grew())
  sizes?.observe(scroller)
  sizes?.observe(scroller.firstElementChild)
  signal.addEventListener("abort", () => sizes?.disconnect())
  return follower
}
