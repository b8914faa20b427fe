"""What the tests of attacks share: keys, hostile texts, a reader of pages."""

import json
from html.parser import HTMLParser
from pathlib import Path

KEY = "a key for tests, nothing else"
PASSWORD = "correct horse battery"
SECRET_CODE, API_KEY = "brass-lantern-42", "0123456789abcdef0123"
PUBLIC = "https://chat.example.com"
PAGE = {"Accept": "text/html"}
CORPUS = json.loads((Path(__file__).parent / "hostile.json").read_text(encoding="utf-8"))
WRITES = ["clear", "title", "pin", "delete", "restore", "share", "unshare"]
CODE = r"\b[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}\b"
ENDS = b"Host: localhost\r\nConnection: close\r\n"


class Elements(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]
