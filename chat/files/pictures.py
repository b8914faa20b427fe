"""Pictures of agents, fetched here so that no visitor's browser calls another server."""

import hashlib
import hmac
import re
import threading
import time
from collections.abc import Callable
from datetime import datetime
from urllib.parse import quote, unquote
from zlib import crc32

from chat import file_types
from chat.agents.offered import Agent
from chat.china import CHINA
from chat.files.failures import Failures
from chat.files.picture_cache import Copy, PictureCache
from chat.refusals import PictureRefusal, Refusal
from chat.visitors.limits.at_once import AtOnce, Bound
from chat.visitors.limits.rates import MEGABYTE, VisitorLimits
from providers.errors import ProviderError
from providers.http import Http, Response

# No SVG and nothing else that could hold a script.
KINDS = (file_types.PNG, file_types.JPEG, file_types.GIF, file_types.WEBP)
# Bytes that tell the kind.
BEGINNING = 16
MOST_BYTES = 10 * MEGABYTE
PATIENCE_S = 20.0
QUIET_S = 8.0
# Times MOST_BYTES is less than what the cache holds.
AT_ONCE = 12
# gunicorn reads a request line of 4094 bytes; a longer address stays a link.
LONGEST_ADDRESS = 3500
# As narrow as possible: every parser of addresses reads what this matches in the same way.
_ADDRESS = re.compile(
    r"(?P<origin>(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?P<port>:[0-9]{1,5})?)"
    r"(?P<path>(?:/[^\s\\?\x00-\x20\x7f]*)?)(?:[?][^\s\\\x00-\x20\x7f]*)?",
    re.IGNORECASE,
)
_ORIGIN = re.compile(r"https?://[^/?#]+", re.IGNORECASE)
_INLINE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")
_HEADERS = {"Accept": "image/webp, image/png, image/jpeg, image/gif", "Accept-Encoding": "identity"}


class Pictures:
    """Gives pictures an address here, and fetches only those, so that it is no open proxy.

    A signature is good on the day it was made and on the next. A picture is fetched once for all
    who ask for it, whole, and answered from the cache. Fetches have seats, of which an address may
    have so many as `seats` at once, and count against the rate of their address.
    """

    def __init__(
        self,
        secret_key: str,
        http: Http,
        cache: PictureCache,
        limits: VisitorLimits,
        at_once: AtOnce,
        seats: int = AT_ONCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = hashlib.sha256(b"picture\n" + secret_key.encode()).digest()
        self._http = http
        self._cache = cache
        self._limits = limits
        self._at_once = at_once
        self._seats = seats
        self._clock = clock
        self._changed = threading.Condition()
        # The address that each picture is being fetched for.
        self._fetches: dict[str, str] = {}
        self._failures = Failures()

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

    def edition(self, agent: Agent) -> str:
        """Changes when the same picture of this agent has another address, or none."""
        sources = (agent.row.pictures, agent.picture_path, agent.provider.addresses)
        return f"{self._day()}-{crc32(repr(sources).encode()):x}"

    def sign(self, url: str) -> str:
        """The signature in a picture's address here, good today and tomorrow."""
        return self._signature(url, self._day())

    def fetch(self, signature: str, url: str, address: str = "") -> Copy:
        """The picture behind a signed address, for a reader at `address`.

        Raises Refusal not_found, PictureRefusal, RateRefusal.
        """
        if not self._is_valid(signature, url):
            raise Refusal("not_found", "a picture without a valid signature")
        copy = self._find(url, address)
        if copy is None:
            copy = self._fetch(url, address)
        return copy

    def _day(self) -> int:
        return datetime.fromtimestamp(self._clock(), CHINA).toordinal()

    def _signature(self, url: str, day: int) -> str:
        text = f"{day}\n{url}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:32]

    def _is_valid(self, signature: str, url: str) -> bool:
        today = self._day()
        # Tomorrow's: the clock of another process of this site may be a little ahead.
        valid = [self._signature(url, day) for day in (today, today - 1, today + 1)]
        # As bytes: compare_digest takes no text beyond ASCII.
        signature_bytes = signature.encode("utf-8", "surrogatepass")
        return any(hmac.compare_digest(signature_bytes, good.encode()) for good in valid)

    def _find(self, url: str, address: str) -> Copy | None:
        """A copy, also one that somebody else is fetching; None when the caller has to fetch it.

        The caller then has a seat, until `_end_fetch`. Raises PictureRefusal, RateRefusal.
        """
        deadline = time.monotonic() + PATIENCE_S
        with self._changed:
            while True:
                if copy := self._cache.find(url):
                    return copy
                self._failures.check(url)
                if url not in self._fetches and self._takes_seat(address):
                    self._fetches[url] = address
                    return None
                patience = deadline - time.monotonic()
                if patience <= 0:
                    raise PictureRefusal("timeout", "too many pictures at once")
                self._changed.wait(min(patience, self._at_once.look_s))

    def _takes_seat(self, address: str) -> bool:
        """Whether there was a seat here, and one of the address's. Raises RateRefusal."""
        addresses = list(self._fetches.values())
        if len(addresses) >= AT_ONCE or addresses.count(address) >= self._seats:
            return False
        bound = Bound(_seat(address), self._seats)
        if self._at_once.begin([bound]) is not None:
            return False
        try:
            self._limits.count_address("fetched picture", address)
        except Refusal:
            self._at_once.end([bound.name])
            raise
        return True

    def _fetch(self, url: str, address: str) -> Copy:
        # Whoever asked may have gone: the picture is fetched to its end, for the next reader.
        failure = None
        try:
            return self._receive(url, address)
        except PictureRefusal as refusal:
            failure = refusal
            raise
        finally:
            self._end_fetch(url, failure)

    def _receive(self, url: str, address: str) -> Copy:
        copy = None
        try:
            copy = self._cache.begin()
            deadline = time.monotonic() + PATIENCE_S
            with self._http.open(
                "GET", url, headers=_HEADERS, deadline=deadline, timeout=QUIET_S
            ) as response:
                self._copy(response, copy)
            self._cache.keep(url, copy)
            return copy
        except ProviderError as error:
            code = "timeout" if error.reason == "timeout" else "unavailable"
            raise PictureRefusal(code, str(error)) from None
        except OSError as error:
            raise PictureRefusal("unavailable", f"the disk refuses: {error}") from None
        finally:
            if copy is not None:
                self._limits.add_for_address("fetched picture", address, copy.size // MEGABYTE)
                self._cache.discard(copy)

    def _copy(self, response: Response, copy: Copy) -> None:
        _check_head(response)
        beginning = b""
        for piece in response.pieces(limit=MOST_BYTES, quiet=QUIET_S):
            if len(beginning) < BEGINNING:
                beginning += piece[:BEGINNING]
                # What is no picture is not worth the rest.
                if len(beginning) >= BEGINNING:
                    copy.content_type = _recognize(beginning)
            self._cache.grow(copy, piece)
        copy.content_type = _recognize(beginning)

    def _end_fetch(self, url: str, failure: PictureRefusal | None) -> None:
        with self._changed:
            self._at_once.end([_seat(self._fetches.pop(url))])
            if failure is not None:
                self._failures.add(url, failure)
            self._changed.notify_all()


def _seat(address: str) -> str:
    return f"picture of address {address}"


def _check_head(response: Response) -> None:
    if response.status != 200:
        raise PictureRefusal("unavailable", f"HTTP {response.status}")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise PictureRefusal("unexpected", "compressed, though we asked for it as it is")
    length = response.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:12]) > MOST_BYTES:
        raise PictureRefusal("unavailable", f"a picture of {length[:12]} bytes")


def _recognize(beginning: bytes) -> str:
    content_type = file_types.recognize(beginning, KINDS)
    if content_type is None:
        raise PictureRefusal("unexpected", "no picture of a kind that is shown")
    return content_type


def _comes_from(agent: Agent, url: str) -> bool:
    """Whether an address is where pictures are: over https at the hosts that its platform has for
    them, or at the agent's own API below the path that is set for them.
    """
    match = _ADDRESS.fullmatch(url)
    if match is None:
        return False
    if _is_below(agent.picture_path, match["path"]):
        origin = match["origin"].lower()
        if any(origin == _origin(address) for address in agent.provider.addresses):
            return True
    if match["scheme"].lower() != "https" or match["port"] not in (None, ":443"):
        return False
    host = match["host"].lower()
    return any(host == domain or host.endswith(f".{domain}") for domain in agent.row.pictures)


def _is_below(folder: str, path: str) -> bool:
    """Whether a path is the folder, or below it however a server reads it; in no folder is none."""
    whole = unquote(path)
    # Of a character encoded twice, nobody knows what it becomes.
    if not folder or "%" in whole or {".", ".."} & set(re.split(r"[/\\;#]", whole)):
        return False
    return whole == folder or whole.startswith(folder.rstrip("/") + "/")


def _origin(address: str) -> str:
    match = _ORIGIN.match(address)
    return match[0].lower() if match else ""
