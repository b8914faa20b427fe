// Sharing: a link with its QR code, the phone's own share sheet, a picture drawn from an answer.

import { isPhone, load, sentenceOf, showProblem } from "./page.js"

const WIDTH = 720
const MARGIN = 56
const QR_PX = 168
const LINE_PX = 46
// Of an answer as much as one reads on a picture.
const MAX_LINES = 14
const FONT = "system-ui, 'PingFang SC', 'Microsoft YaHei', sans-serif"

/** Makes a link to the conversation as far as this answer, and offers ways to pass it on. */
export async function share(form, button) {
  const at = button.value
  try {
    const link = await makeLink(form.action, { at })
    const { sheet, openDialog } = await load("./sheets.js")
    const dialog = filled(await sheet("share"), link, form.closest(".exchange"))
    dialog.querySelector("[name=preview]").addEventListener("change", ({ target }) =>
      setPreview(target, wanted => makeLink(form.action, { at, same: "yes", ...wanted })))
    openDialog(dialog)
  } catch (error) {
    showProblem(sentenceOf(error))
  }
}

async function makeLink(address, fields) {
  const body = new URLSearchParams(fields)
  const response = await fetch(address, { method: "POST", headers: { Accept: "application/json" }, body })
  const link = await response.json()
  if (!response.ok) throw Object.assign(new Error(link.error), { status: response.status })
  return link
}

/** Changes the preview of the link that is there, which may have been copied; the box shows what holds. */
async function setPreview(box, send) {
  box.disabled = true
  showProblem("")
  try {
    await send({ preview: box.checked ? "yes" : "no" })
  } catch (error) {
    box.checked = !box.checked
    showProblem(sentenceOf(error))
  }
  box.disabled = false
  // A box that is disabled loses the focus.
  if (document.activeElement === document.body) box.focus()
}

function filled(dialog, link, exchange) {
  const address = new URL(link.address, location.href).href
  const title = document.title
  const field = dialog.querySelector("input")
  field.value = address
  // Focused, it shows where the caret is.
  field.setSelectionRange(0, 0)
  dialog.querySelector(".qr").setAttribute("viewBox", `0 0 ${link.qr.size} ${link.qr.size}`)
  dialog.querySelector(".qr path").setAttribute("d", link.qr.path)
  const native = dialog.querySelector("[data-native]")
  native.hidden = !navigator.share
  native.addEventListener("click", () => {
    navigator.share({ title, url: address }).catch(() => {})
  })
  dialog.querySelector("[data-picture]").addEventListener("click", () => {
    const canvas = draw(exchange, link.qr)
    canvas.toBlob(blob => save(blob, title, () => showCard(dialog, canvas)))
  })
  return dialog
}

/** Into the phone's share sheet where it takes files, else into a file or, by `show`, the page. */
function save(blob, title, show) {
  const file = new File([blob], "share.png", { type: "image/png" })
  if (navigator.canShare?.({ files: [file] })) {
    navigator.share({ title, files: [file] }).catch(({ name }) => name === "AbortError" || show())
    return
  }
  // In-app browsers let nothing be downloaded, but save a picture that is held.
  if (isPhone()) return show()
  const link = document.createElement("a")
  link.href = URL.createObjectURL(blob)
  link.download = file.name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}

function showCard(dialog, canvas) {
  dialog.querySelector(".qr").remove()
  const card = dialog.querySelector("figure")
  card.querySelector("img").src = canvas.toDataURL()
  card.hidden = false
  dialog.querySelector("[data-picture]").hidden = true
}

/** The question, the answer's beginning, who answered, and the code that leads to the rest. */
function draw(exchange, qr) {
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`)
  const canvas = document.createElement("canvas")
  const pen = canvas.getContext("2d")
  const wrap = (text, font, most) => {
    pen.font = font
    return linesOf(pen, text.trim(), WIDTH - 2 * MARGIN, most)
  }
  const [bold, plain, small] = [`600 34px ${FONT}`, `28px ${FONT}`, `24px ${FONT}`]
  const question = wrap(exchange.querySelector(".question-text").textContent, bold, 4)
  const answer = wrap(textOf(exchange.querySelector(".prose")), plain, MAX_LINES)
  canvas.width = WIDTH
  canvas.height = 3 * MARGIN + (question.length + answer.length + 1) * LINE_PX + QR_PX
  pen.fillStyle = colour("paper")
  pen.fillRect(0, 0, canvas.width, canvas.height)
  let y = MARGIN + 34
  const write = (lines, font, fill) => {
    Object.assign(pen, { font, fillStyle: fill })
    for (const line of lines) {
      pen.fillText(line, MARGIN, y)
      y += LINE_PX
    }
  }
  write(question, bold, colour("ink"))
  y += LINE_PX / 2
  write(answer, plain, colour("ink"))
  y = canvas.height - MARGIN - QR_PX / 2
  const site = document.querySelector("meta[name=description]").content
  write([exchange.querySelector(".by h2").textContent], bold, colour("accent"))
  write(wrap(site, small, 1), small, colour("soft"))
  drawCode(pen, qr, WIDTH - MARGIN - QR_PX, canvas.height - MARGIN - QR_PX)
  return canvas
}

/** An answer's text, a line for each block; of a formula what can be said in a line. */
function textOf(prose) {
  const copy = prose.cloneNode(true)
  for (const fraction of [...copy.querySelectorAll("mfrac")].reverse()) {
    const [above, below] = [...fraction.children].map(({ textContent: text }) => (
      text.length > 1 && /\D/.test(text) ? `(${text})` : text
    ))
    fraction.textContent = `${above}/${below}`
  }
  for (const power of copy.querySelectorAll("msup > :last-child")) power.prepend("^")
  for (const button of copy.querySelectorAll("button")) button.remove()
  const blocks = [...copy.querySelectorAll("p, li, tr, pre, h3, h4, h5, h6, .formula")]
  const outer = blocks.filter(block => !blocks.some(other => other !== block && other.contains(block)))
  return outer.map(lineOf).filter(Boolean).join("\n")
}

/** The text of a block; the cells of a row stand in one line. */
const lineOf = block =>
  block.localName === "tr" ? Array.from(block.cells, lineOf).join("  ") : block.textContent.trim()

function drawCode(pen, { size, path }, x, y) {
  pen.translate(x, y)
  pen.scale(QR_PX / size, QR_PX / size)
  pen.fillStyle = "#fff"
  pen.fillRect(0, 0, size, size)
  pen.fillStyle = "#000"
  pen.fill(new Path2D(path))
}

/** Text in lines of this width, as many as fit; the last says that there is more. */
export function linesOf(pen, text, width, most) {
  const lines = []
  for (const paragraph of text.split(/\n+/)) {
    let line = ""
    for (const character of paragraph) {
      if (line && pen.measureText(line + character).width > width) {
        lines.push(line)
        line = ""
      }
      if (lines.length === most) return [...lines.slice(0, -1), `${lines[most - 1].slice(0, -1)}…`]
      line += character
    }
    if (lines.length < most) lines.push(line)
  }
  return lines
}
