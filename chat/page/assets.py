"""The files of the page, each read and compressed once: best compression costs nothing later."""

import gzip
import hashlib
import re
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import brotli

from chat.page.look import Look
from chat.release import ROOT

FOLDER = ROOT / "static"
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
# These name the site's colours.
COLOURED, LOGO = ("css/page.css", "css/desk.css"), "logo"
SOURCES = "css/app.css", "css/first.css", "css/parts/", "css/desk/"
BLANKS_OF_STYLES = re.compile(rb"/\*[^!].*?\*/|\n\s*|(?<=[:,{]) | (?=\{)|;(?=\s*\})", re.DOTALL)
# Compressed in themselves.
PACKED = "image/png", "image/jpeg", "image/webp", "font/woff2"


@dataclass(frozen=True)
class Asset:
    """A file as it is sent: `encoded` by the name of its encoding, `identity` always."""

    content_type: str
    encoded: dict[str, bytes]
    etag: str


class Assets:
    """Everything that may be served of static/, and the owner's logo."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._assets: dict[str, Asset | None] = {}

    @property
    def names(self) -> frozenset[str]:
        """What there is. Nothing else is ever looked for on the disk."""
        with self._lock:
            if not self._assets:
                paths = (
                    path.relative_to(FOLDER).as_posix()
                    for path in FOLDER.rglob("*")
                    if path.is_file()
                )
                served = [
                    name
                    for name in paths
                    if Path(name).suffix in KINDS and not name.startswith(SOURCES)
                ]
                if self._look.logo:
                    served.append(LOGO)
                self._assets = dict.fromkeys(served)
            return frozenset(self._assets)

    @cached_property
    def digest(self) -> str:
        """Stands in the files' addresses: whatever changes in one of them gives all a new one."""
        contents = hashlib.sha256()
        for name in sorted(self.names):
            contents.update(self._read(name)[0])
        return contents.hexdigest()[:8]

    def find(self, name: str) -> Asset | None:
        """The file of this name; None when there is none."""
        if name not in self.names:
            return None
        asset = self._assets[name] or _asset(*self._read(name))
        self._assets[name] = asset
        return asset

    def _read(self, name: str) -> tuple[bytes, str]:
        """What a file holds, and its type."""
        if name == LOGO and self._look.logo:
            return self._look.logo.data, self._look.logo.content_type
        data = (FOLDER / name).read_bytes()
        if name.endswith(".css"):
            data = BLANKS_OF_STYLES.sub(b"", data)
        if name in COLOURED:
            data += self._look.css.encode()
        return data, KINDS[Path(name).suffix]


def _asset(data: bytes, content_type: str) -> Asset:
    encoded = {"identity": data}
    if content_type not in PACKED:
        encoded |= {
            "gzip": gzip.compress(data, 9, mtime=0),
            "br": brotli.compress(data, quality=11),
        }
    return Asset(content_type, encoded, hashlib.sha256(data).hexdigest()[:16])
