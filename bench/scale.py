"""What a second process adds: answers a second of one and of two, on one PostgreSQL and one Redis.

`python -m bench.scale`. The platform, the visitors and both servers are on this machine too: with
fewer than four cores they take from the second process what it could add.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from bench import clients
from bench import site as servers
from tests.kit.servers.postgresql import postgresql_server
from tests.kit.servers.redis import redis_server

AT_ONCE, SECONDS, ROUNDS = 32, 8.0, 3


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, servers.platform() as address:
        redis = redis_server(Path(folder)).start()
        postgresql = postgresql_server().start()
        try:
            shared = {
                "COZE_ASK": "stream",
                "REDIS_URL": redis.url,
                "DATABASE_URL": postgresql.create("bench", is_copied=False),
            }
            for _ in range(ROUNDS):
                one, two = (_rate(address, workers, shared) for workers in (1, 2))
                print(f"one {one:.0f}, two {two:.0f} answers a second: {two / one:.2f} ×")
        finally:
            postgresql.end()
            redis.end()
    print(f"{os.cpu_count()} cores in all")


def _rate(address: str, workers: int, shared: dict[str, str]) -> float:
    with servers.site(address, core=None, WORKERS=str(workers), **shared) as site:
        return asyncio.run(_answers(site.port)) / SECONDS


async def _answers(port: int) -> int:
    until, answered = time.monotonic() + SECONDS, 0

    async def keep_asking() -> None:
        nonlocal answered
        while time.monotonic() < until:
            _, is_answer = await clients.ask(port, "work=0 events=1 rate=0")
            answered += is_answer

    await asyncio.gather(*(keep_asking() for _ in range(AT_ONCE)))
    return answered


if __name__ == "__main__":
    main()
