"""Files handed to a page: picked, pasted, dropped."""

import base64
import struct
import zlib

from playwright.sync_api import FilePayload, Page


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# A red square of two pixels.
PNG = b"".join(
    (
        b"\x89PNG\r\n\x1a\n",
        _chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)),
        _chunk(b"IDAT", zlib.compress(b"\0\xff\0\0\xff\0\0" * 2)),
        _chunk(b"IEND", b""),
    )
)


PDF = b"%PDF-1.4 quarterly"
HOLDS = {"png": PNG, "xlsx": b"PK\x03\x04 xl/workbook.xml"}


def pick(page: Page, *names: str, data: bytes | None = None) -> None:
    """Chooses files of these names. They hold `data`, or what their ending promises."""
    page.locator("[type=file]").set_input_files([_file(name, data) for name in names])


def _file(name: str, data: bytes | None) -> FilePayload:
    ending = name.rpartition(".")[2]
    content_type = "image/png" if ending == "png" else ""
    content = HOLDS.get(ending, PDF) if data is None else data
    return {"name": name, "mimeType": content_type, "buffer": content}


def hand(
    page: Page, event: str, *files: tuple[str, str], text: str = "", target: str = "#question"
) -> None:
    """Pastes or drags files, (name, type), as a browser tells of it."""
    page.locator(target).evaluate(
        """async (target, [event, files, text, png]) => {
            const carried = new DataTransfer()
            const bytes = Uint8Array.from(atob(png), char => char.charCodeAt())
            for (const [name, type] of files) carried.items.add(new File([bytes], name, {type}))
            for (const type of text ? ["text/plain", "text/html"] : []) carried.setData(type, text)
            const options = {bubbles: true, cancelable: true}
            window.wasTaken = !target.dispatchEvent(event === "paste"
                ? new ClipboardEvent(event, {...options, clipboardData: carried})
                : new DragEvent(event, {...options, dataTransfer: carried}))
        }""",
        [event, files, text, base64.b64encode(PNG).decode()],
    )
