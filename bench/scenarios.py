"""What is measured, one function each; each is bounded in time and gives numbers."""

import asyncio
import random
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from bench import clients
from bench.clients import Heard
from bench.site import Site

CHATS = 1000
WORK_S = 8.0
STREAMS, RATE, STREAM_S = 200, 20, 10
# Visitors do not come in one millisecond.
CHATS_COME_S, STREAMS_COME_S = 1.0, 2.0
BULK_STREAMS, BULK_EVENTS = 50, 2000
NAIVE_CHATS, NAIVE_S = 20, 28.0

T = TypeVar("T")


@dataclass
class Waiting:
    """Many chats that wait: how long until all were answered, how many were, what it cost."""

    seconds: float
    answered: int
    memory_mb: float
    health_ms: list[float]


async def own_time(port: int) -> float:
    """Seconds that the platform itself takes for CHATS chats, when nobody polls too early."""
    began = time.monotonic()
    question = f"work={WORK_S}"
    tasks = [
        _later(number / CHATS * CHATS_COME_S, clients.ask_platform(port, question, WORK_S))
        for number in range(CHATS)
    ]
    return max(await asyncio.gather(*tasks)) - began


async def waiting(site: Site, chats: int = CHATS, within: float = 60.0) -> Waiting:
    """All chats at once, /healthz and memory watched meanwhile; given up after `within` seconds."""
    healths: list[float] = []
    sizes: list[float] = []
    watchers = [
        asyncio.ensure_future(clients.watch(site.port, 0.05, healths)),
        asyncio.ensure_future(_weigh(site, sizes)),
    ]
    await asyncio.sleep(0.5)
    began = time.monotonic()
    tasks = [
        asyncio.ensure_future(
            _later(number / chats * CHATS_COME_S, clients.ask(site.port, f"work={WORK_S}"))
        )
        for number in range(chats)
    ]
    done, late = await asyncio.wait(tasks, timeout=within)
    seconds = time.monotonic() - began
    for task in [*late, *watchers]:
        task.cancel()
    await asyncio.gather(*late, *watchers, return_exceptions=True)
    return Waiting(
        seconds,
        sum(task.result()[1] for task in done),
        max(sizes),
        [health * 1000 for health in healths],
    )


async def streaming(port: int) -> tuple[list[Heard], list[float]]:
    """Streams with a pace: each event has all the time between two of them to get here.

    They begin at random: at even distances their events would fall on the same few moments. Returns
    what the readers got, and the lags of the events that came while all streams ran.
    """
    question = f"events={RATE * STREAM_S} rate={RATE}"
    chance = random.Random(STREAMS)
    begins = [chance.uniform(0, STREAMS_COME_S) for _ in range(STREAMS)]
    streams = await asyncio.gather(
        *(_later(begin, clients.follow(port, question)) for begin in begins)
    )
    calm = [
        lag
        for begin, stream in zip(begins, streams, strict=True)
        for number, lag in enumerate(stream.lags)
        if STREAMS_COME_S + 1 <= begin + number / RATE < STREAM_S
    ]
    return streams, calm


async def bulk(port: int) -> tuple[float, list[Heard]]:
    """Streams without a pace: seconds until all have ended."""
    began = time.monotonic()
    question = f"events={BULK_EVENTS} rate=0"
    streams = await asyncio.gather(*(clients.follow(port, question) for _ in range(BULK_STREAMS)))
    return time.monotonic() - began, streams


def percentile(values: list[float], part: float) -> float:
    """The value that `part` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


async def _later(seconds: float, visit: Awaitable[T]) -> T:
    await asyncio.sleep(seconds)
    return await visit


async def _weigh(site: Site, sizes: list[float]) -> None:
    while True:
        sizes.append(await asyncio.to_thread(site.memory_mb))
        await asyncio.sleep(0.5)
