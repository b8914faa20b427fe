// One file for a question: whether it may go along, its name, its way to the server, its picture.

import { Refused } from "./stream.js"

const PREVIEW_PX = 88

/** Why a file may not go along: the name of a sentence, or nothing. */
export function refusal(name, size, count, { accept, most, mostBytes }) {
  const ending = name.slice(name.lastIndexOf(".")).toLowerCase()
  if (!accept.split(",").includes(ending)) return "wrongKind"
  if (size > Number(mostBytes)) return "tooLarge"
  return count >= Number(most) ? "tooMany" : ""
}

/** A name that every system takes: macOS puts rare blanks into those of its screenshots. */
export const tidy = name => name.replace(/\s/g, " ").replace(/[/\\:\p{C}]/gu, "-").slice(-200)

/** Browsers call every picture from the clipboard the same. */
export const isNameless = ({ name, type }) => type.startsWith("image/") && /^(image\.\w+)?$/.test(name)

export const pictureName = (type, number) => `image-${number}.${type.slice(6).replace("jpeg", "jpg")}`

/** Sends one file; its id. `report` is told which share of it has gone. */
export function upload({ file, name, request }, agent, report) {
  const body = new FormData()
  body.append("agent", agent)
  body.append("file", file, name)
  return new Promise((resolve, reject) => {
    request.open("POST", "/files")
    request.setRequestHeader("Accept", "application/json")
    request.responseType = "json"
    request.upload.onprogress = ({ loaded, total }) => report(loaded / (total || Infinity))
    request.onload = () => {
      const { id, error } = request.response ?? {}
      if (request.status === 201) resolve(id) // an error has an id too: the request's
      else reject(error ? new Refused(error, request.status) : new Error(`status ${request.status}`))
    }
    request.onerror = request.onabort = reject
    request.send(body)
  })
}

/** A square from the middle of a picture. */
export async function draw(file, place) {
  if (!file.type.startsWith("image/")) return
  try {
    const picture = await createImageBitmap(file)
    const { width, height } = picture
    const side = Math.min(width, height)
    const canvas = document.createElement("canvas")
    canvas.width = canvas.height = PREVIEW_PX
    const from = [(width - side) / 2, (height - side) / 2, side, side]
    canvas.getContext("2d").drawImage(picture, ...from, 0, 0, PREVIEW_PX, PREVIEW_PX)
    picture.close()
    place.replaceChildren(canvas)
  } catch {
    // An old browser, or a kind that it cannot draw: the sign stays.
  }
}
