"""The body of a request as it is read: counted, and no longer than its route takes."""

import io
from collections.abc import Callable
from typing import Any, cast

from werkzeug.exceptions import ClientDisconnected

from chat.visitors.limits.bodies import IncomingBody

PIECE = 64 * 1024


class BodyStream(io.RawIOBase):
    """The server's stream of a body of `length` bytes, None when its head does not say.

    Reading raises what `too_large` makes when the body is longer than `largest`, ClientDisconnected
    when it ends too early, and the refusals of IncomingBody. A body that `is_kept`, because the
    files of a form lie on the disk, ends with its request; others end when they are read.
    """

    def __init__(
        self,
        stream: Any,
        body: IncomingBody,
        length: int | None,
        largest: int,
        too_large: Callable[[], Exception],
        is_kept: bool,
    ) -> None:
        self._stream = stream
        self._body = body
        self._length = length
        self._largest = largest
        self._too_large = too_large
        self._is_kept = is_kept
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self._piece(min(len(view), PIECE))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self._piece(PIECE), b""))

    def _piece(self, size: int) -> bytes:
        try:
            data = cast(bytes, self._stream.read(size))
        except OSError as error:
            raise ClientDisconnected from error
        if not data and self._length is not None and self._size < self._length:
            raise ClientDisconnected
        if not data and not self._is_kept:
            self._body.end()
        self._size += len(data)
        if self._size > self._largest:
            raise self._too_large()
        self._body.grow(len(data))
        return data
