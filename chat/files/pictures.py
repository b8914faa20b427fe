"""Pictures of agents, fetched here so that no visitor's browser calls another server."""

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

from chat import file_types
from chat.agents.offered import Agent
from chat.refusals import PictureRefusal, Refusal
from providers.errors import ProviderError
from providers.http import Http

# No SVG and nothing else that could hold a script.
KINDS = (file_types.PNG, file_types.JPEG, file_types.GIF, file_types.WEBP)
MOST_BYTES = 10 * 1024 * 1024
PATIENCE_S = 20.0
AT_ONCE = 8
# gunicorn reads a request line of 4094 bytes; a longer address stays a link.
LONGEST_ADDRESS = 3500
# As narrow as possible: every parser of addresses reads what this matches in the same way.
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
    """A fetched picture: its type by its content, its size, and an unnamed file that holds it."""

    content_type: str
    size: int
    file: IO[bytes]


class Pictures:
    """Gives pictures an address here, and fetches only those, so that it is no open proxy."""

    def __init__(self, secret_key: str, http: Http) -> None:
        self._key = hashlib.sha256(b"picture\n" + secret_key.encode()).digest()
        self._http = http
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
        """The picture behind a signed address. Raises Refusal not_found, PictureRefusal."""
        # As bytes: compare_digest takes no text beyond ASCII.
        if not hmac.compare_digest(signature.encode(), self.sign(url).encode()):
            raise Refusal("not_found", "a picture without a valid signature")
        deadline = time.monotonic() + PATIENCE_S
        if not self._seats.acquire(timeout=PATIENCE_S):
            raise PictureRefusal("timeout", "too many pictures at once")
        try:
            return self._fetch(url, deadline)
        except ProviderError as error:
            raise PictureRefusal(
                "timeout" if error.reason == "timeout" else "unavailable", str(error)
            ) from None
        finally:
            self._seats.release()

    def _fetch(self, url: str, deadline: float) -> Picture:
        with self._http.open("GET", url, headers=_HEADERS, deadline=deadline) as response:
            if response.status != 200:
                raise PictureRefusal("unavailable", f"HTTP {response.status}")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise PictureRefusal("unexpected", "compressed, though we asked for it as it is")
            with ExitStack() as stack:
                # On disk: readers may be slow and many, and memory is everybody's.
                file = stack.enter_context(tempfile.TemporaryFile())
                for piece in response.pieces(limit=MOST_BYTES):
                    file.write(piece)
                picture = _recognize(file)
                # From here on the file is the reader's to close.
                stack.pop_all()
                return picture

    def sign(self, url: str) -> str:
        """The signature in a picture's address here."""
        return hmac.new(
            self._key, url.encode("utf-8", "surrogatepass"), hashlib.sha256
        ).hexdigest()[:32]


def _recognize(file: IO[bytes]) -> Picture:
    size = file.tell()
    file.seek(0)
    content_type = file_types.recognize(file.read(16), KINDS)
    file.seek(0)
    if content_type is None:
        raise PictureRefusal("unexpected", "no picture of a kind that is shown")
    return Picture(content_type, size, file)


def _comes_from(agent: Agent, url: str) -> bool:
    """Whether an address is at the agent's own API, or over https at its platform's hosts for
    pictures.
    """
    match = _ADDRESS.fullmatch(url)
    if match is None:
        return False
    origin, host = match["origin"].lower(), match["host"].lower()
    if any(origin == _origin(address) for address in agent.provider.addresses):
        return True
    if match["scheme"].lower() != "https" or match["port"] not in (None, ":443"):
        return False
    return any(host == domain or host.endswith(f".{domain}") for domain in agent.row.pictures)


def _origin(address: str) -> str:
    match = _ORIGIN.match(address)
    return match[0].lower() if match else ""
