"""Files handed to a page: picked, pasted, dropped."""

import base64
import struct
import zlib

from playwright.sync_api import Page


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


def pick(page: Page, *names: str, data: bytes = b"%PDF-1.4 quarterly") -> None:
    page.locator("[type=file]").set_input_files(
        [{"name": name, "mimeType": "image/png" if ".png" in name else "", "buffer": data} for name in names]
    )


def hand(page: Page, event: str, *files: tuple[str, str], text: str = "", target: str = "#question") -> None:
    """Pastes or drags files, (name, type), as a browser tells of it."""
    page.locator(target).evaluate(
        """async (target, [event, files, text, png]) => {
            const carried = new DataTransfer()
            const bytes = Uint8Array.from(atob(png), one => one.charCodeAt())
            for (const [name, type] of files) carried.items.add(new File([bytes], name, {type}))
            for (const type of text ? ["text/plain", "text/html"] : []) carried.setData(type, text)
            const options = {bubbles: true, cancelable: true}
            window.wasTaken = !target.dispatchEvent(event === "paste"
                ? new ClipboardEvent(event, {...options, clipboardData: carried})
                : new DragEvent(event, {...options, dataTransfer: carried}))
        }""",
        [event, files, text, base64.b64encode(PNG).decode()],
    )
