"""Pictures that agents send, fetched here so that no visitor's browser calls a stranger's server."""

import hashlib
import hmac
import re
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO
from urllib.parse import quote

from chat.agents.offered import Agent
from chat.refusals import PictureRefusal, Refusal
from providers.errors import ProviderError
from providers.http import Http

MOST_BYTES = 10 * 1024 * 1024
PATIENCE_S = 20.0
AT_ONCE = 8
# gunicorn reads a request line of 4094 bytes; a longer address stays a link.
LONGEST_ADDRESS = 3500
# As narrow as can be: what this matches, every reader of addresses takes apart in the same way.
_ADDRESS = re.compile(
    r"(?P<origin>(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?P<port>:[0-9]{1,5})?)"
    r"(?:[/?][^\s\\\x00-\x20\x7f]*)?",
    re.IGNORECASE,
)
_ORIGIN = re.compile(r"https?://[^/?#]+", re.IGNORECASE)
_INLINE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")
_HEADERS = {"Accept": "image/webp, image/png, image/jpeg, image/gif", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Picture:
    """A picture that was fetched: its type by its content, and a file that is nowhere but in this process."""

    content_type: str
    size: int
    file: IO[bytes]


class Pictures:
    """Gives pictures an address of ours, and fetches what was given one; nothing else, so we are no proxy."""

    def __init__(self, secret_key: str, door: Http) -> None:
        self._key = hashlib.sha256(b"picture\n" + secret_key.encode()).digest()
        self._door = door
        self._seats = threading.Semaphore(AT_ONCE)

    def address(self, agent: Agent, url: str) -> str | None:
        """Where the page finds a picture of this agent; None when it comes from anywhere else."""
        if _INLINE.fullmatch(url):
            return url
        if not _comes_from(agent, url):
            return None
        address = f"/pictures/{self.sign(url)}?url={quote(url, safe='')}"
        return address if len(address) <= LONGEST_ADDRESS else None

    def addresses(self, agent: Agent) -> Callable[[str], str | None]:
        """`address` for one agent."""
        return lambda url: self.address(agent, url)

    def fetch(self, signature: str, url: str) -> Picture:
        """The picture of an address that we gave. Raises Refusal not_found, PictureRefusal."""
        # As bytes: compare_digest takes no text beyond ASCII.
        if not hmac.compare_digest(signature.encode(), self.sign(url).encode()):
            raise Refusal("not_found", "a picture without our signature")
        deadline = time.monotonic() + PATIENCE_S
        if not self._seats.acquire(timeout=PATIENCE_S):
            raise PictureRefusal("timeout", "too many pictures at once")
        try:
            return self._fetched(url, deadline)
        except ProviderError as error:
            raise PictureRefusal(
                "timeout" if error.reason == "timeout" else "unavailable", str(error)
            ) from None
        finally:
            self._seats.release()

    def _fetched(self, url: str, deadline: float) -> Picture:
        with self._door.open("GET", url, headers=_HEADERS, deadline=deadline) as response:
            if response.status != 200:
                raise PictureRefusal("unavailable", f"HTTP {response.status}")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise PictureRefusal("unexpected", "compressed, though we asked for it as it is")
            with ExitStack() as stack:
                # On disk: readers may be slow and many, and memory is everybody's.
                file = stack.enter_context(tempfile.TemporaryFile())
                for piece in response.pieces(limit=MOST_BYTES):
                    file.write(piece)
                found = _recognized(file)
                stack.pop_all()  # from here on the file is the reader's to close
                return found

    def sign(self, url: str) -> str:
        """What an address of ours begins with."""
        return hmac.new(
            self._key, url.encode("utf-8", "surrogatepass"), hashlib.sha256
        ).hexdigest()[:32]


def kind_of(beginning: bytes) -> str | None:
    """The type of a picture by its first bytes. Whatever could hold a script (SVG, HTML) is none."""
    if beginning.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if beginning.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if beginning.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return "image/webp"
    return None


def _recognized(file: IO[bytes]) -> Picture:
    size = file.tell()
    file.seek(0)
    content_type = kind_of(file.read(16))
    file.seek(0)
    if content_type is None:
        raise PictureRefusal("unexpected", "no picture of a kind that is shown")
    return Picture(content_type, size, file)


def _comes_from(agent: Agent, url: str) -> bool:
    """Whether an address is at the agent's own API, or over https at its platform's hosts for pictures."""
    found = _ADDRESS.fullmatch(url)
    if found is None:
        return False
    origin, host = found["origin"].lower(), found["host"].lower()
    if any(origin == _origin(address) for address in agent.provider.addresses):
        return True
    is_plain = found["scheme"].lower() == "https" and found["port"] in (None, ":443")
    return is_plain and any(
        host == known or host.endswith(f".{known}") for known in agent.row.pictures
    )


def _origin(address: str) -> str:
    found = _ORIGIN.match(address)
    return found[0].lower() if found else ""
