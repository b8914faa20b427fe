"""The pictures of a site, without the site."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from chat.files.picture_cache import PictureCache
from chat.files.pictures import AT_ONCE, Pictures
from chat.visitors.limits.at_once import LocalAtOnce
from chat.visitors.limits.rates import VisitorLimits
from providers.http import Http, Network

ROOM = 2**40


def cache_of_site(room: int = ROOM) -> PictureCache:
    """A cache on a disk with so much room."""
    return PictureCache(Path(tempfile.gettempdir()), lambda: room)


def pictures_of_site(
    secret_key: str,
    seats: int = AT_ONCE,
    rate: str = "0",
    clock: Callable[[], float] = time.time,
    cache: PictureCache | None = None,
) -> Pictures:
    """Pictures signed with this key, with a cache of their own unless one is given."""
    limits = VisitorLimits(rate, 1, 3)
    http = Http("pictures", Network())
    return Pictures(secret_key, http, cache or cache_of_site(), limits, LocalAtOnce(), seats, clock)
