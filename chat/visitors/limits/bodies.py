"""Bodies of requests on their way here: how many bytes an address has in flight, and all together.

A body of SMALL bytes is not counted: it stays in memory, and connections are counted themselves.
"""

import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable

from chat.refusals import FileRefusal
from chat.storage import Storage
from chat.storage.engine.kinds import StorageRefusal
from chat.visitors.limits.rates import MEGABYTE

# A form without a file is smaller.
SMALL = 64 * 1024
# Files must not take the room on the disk that questions need.
LEFT_FREE = 100 * MEGABYTE
# All bodies together lie on the disk of temporary files, which may be memory.
MOST_BYTES = 256 * MEGABYTE
# A body that does not get on is cut off after half a minute.
RETRY_S = 10.0
FULL_DISK_RETRY_S = 3600.0


class Bodies:
    """Counts the bytes of large bodies from their admission until they are done with.

    `most` is for what has arrived of all of them, `per_address` for what an address has announced,
    None for any number: a client that announces much and sends nothing takes no room from others.
    `room` is the bytes of room on the disks.
    """

    def __init__(self, most: int, per_address: int | None, room: Callable[[], int]) -> None:
        self._most = most
        self._per_address = per_address
        self._room = room
        self._lock = threading.Lock()
        self._by_address: Counter[str] = Counter()
        self._arrived = 0

    @property
    def arrived(self) -> int:
        """Bytes of large bodies that are here now."""
        return self._arrived

    def admit(self, address: str, length: int | None) -> "IncomingBody":
        """A body of so many bytes, None when its head does not say.

        Raises FileRefusal rate_limited when too much is in flight, StorageRefusal when the disk has
        no room for it.
        """
        announced = length if length and length > SMALL else 0
        body = IncomingBody(self, address)
        if announced:
            self._require_room(announced)
            with self._lock:
                self._require_total(announced)
            body.announce(announced)
        return body

    def announce(self, address: str, size: int) -> None:
        """Counts bytes that an address is going to send. Raises FileRefusal."""
        with self._lock:
            in_flight = self._by_address[address] + size
            if address and self._per_address is not None and in_flight > self._per_address:
                raise _refusal(f"{in_flight} bytes in flight from {address}")
            self._by_address[address] = in_flight

    def arrive(self, size: int) -> None:
        """Counts bytes that have come. Raises FileRefusal, StorageRefusal."""
        self._require_room(size)
        with self._lock:
            self._require_total(size)
            self._arrived += size

    def forget(self, address: str, announced: int, arrived: int) -> None:
        """Takes the bytes of a body back."""
        with self._lock:
            self._arrived -= arrived
            self._by_address[address] -= announced
            if self._by_address[address] <= 0:
                del self._by_address[address]

    def _require_total(self, size: int) -> None:
        if self._arrived + size > self._most:
            raise _refusal(f"{self._arrived} bytes in flight")

    def _require_room(self, size: int) -> None:
        if self._room() < LEFT_FREE + size:
            raise StorageRefusal(
                "unavailable",
                f"the disk is nearly full: no body of {size} bytes",
                retry_after=FULL_DISK_RETRY_S,
            )


class IncomingBody:
    """One body: it grows piece by piece, and ends once."""

    def __init__(self, bodies: Bodies, address: str) -> None:
        self._bodies = bodies
        self._address = address
        self._announced = 0
        self._arrived = 0
        self._counted = 0

    def announce(self, size: int) -> None:
        """Says that so many bytes more are going to come. Raises FileRefusal."""
        self._bodies.announce(self._address, size)
        self._announced += size

    def grow(self, size: int) -> None:
        """Counts a piece that came. Raises FileRefusal, StorageRefusal."""
        self._arrived += size
        if self._arrived <= SMALL:
            return
        # Without a length in its head a body announces itself as it comes.
        if self._arrived > self._announced:
            self.announce(self._arrived - self._announced)
        self._bodies.arrive(self._arrived - self._counted)
        self._counted = self._arrived

    def end(self) -> None:
        """Its bytes are no longer here. May be called twice."""
        self._bodies.forget(self._address, self._announced, self._counted)
        self._announced = self._counted = 0


def bodies_for(storage: Storage, largest: int, address_share: int) -> Bodies:
    """The bodies of a site whose largest one has so many bytes.

    An address sends as many of those at once as it counts for visitors; 0 for any number.
    """
    # Looked for now: on a full disk Python would find no folder for temporary files.
    folder = tempfile.gettempdir()

    def room() -> int:
        try:
            return min(storage.disk.free, shutil.disk_usage(folder).free)
        except OSError:
            return 0

    per_address = address_share * largest if address_share else None
    return Bodies(max(MOST_BYTES, 4 * largest), per_address, room)


def _refusal(detail: str) -> FileRefusal:
    return FileRefusal("rate_limited", detail, retry_after=RETRY_S)
