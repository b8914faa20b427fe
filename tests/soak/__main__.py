"""python -m tests.soak: SOAK_S seconds (180) of two hundred visitors, kills and restarts; then
the count.

Ends with 1 when a promise was not kept, a page failed, the log holds a fault of ours, the
database is damaged or the worker does not come to rest. The seed it prints makes the same choices
again (`--seed`)."""

import argparse
import os
import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from chat.agents import demo
from chat.china import CHINA
from chat.settings.model import Settings
from tests.kit.desk import HTML, PASSWORD, OwnerBrowser
from tests.kit.emulator import NO_DAILY_LIMIT
from tests.kit.patience import ALLOWANCE
from tests.kit.servers.postgresql import postgresql_server
from tests.kit.servers.redis import redis_server
from tests.kit.site import Site
from tests.soak.counting import (
    Workers,
    broken,
    faults_in_the_log,
    integrity,
    rows,
    running,
    wrong_numbers,
    wrong_today,
)
from tests.soak.visitors import CODES, Ledger, Person

CHAT_TIMEOUT_S = 6
MOST_MEMORY_MB = 400
REST_S = 40.0 * ALLOWANCE
# What the platforms allow, widened: the crowd shall meet the site, not its line.
LIMITS = {
    "coze": {"qps": 100},
    "qingyan": {"concurrency": 50, "daily": 1_000_000},
    "wenxin": {"daily": 1_000_000},
    "yuanqi": {"concurrency": 9},
    "huawei": {},
}
SWITCHES = {
    "pace_s": 0,
    "coze_work_s": 0.3,
    "coze_qps": 0,
    **NO_DAILY_LIMIT,
    "qingyan_concurrency": 0,
}


def main() -> None:
    parser = argparse.ArgumentParser("tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("SOAK_S", 180)))
    parser.add_argument("--visitors", type=int, default=200)
    parser.add_argument("--processes", type=int, default=1, help="more: PostgreSQL and Redis too")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--log", type=Path, help="where to keep the site's log")
    options = parser.parse_args()
    print(f"seed {options.seed}: {options.visitors} visitors for {options.seconds:g} s", flush=True)
    wrong = soak(options.seconds, options.visitors, options.seed, options.processes, options.log)
    for text, times in Counter(wrong).most_common(40):
        print(f"WRONG ({times}): {text}")
    print(f"{len(wrong)} things are wrong" if wrong else "nothing is wrong")
    sys.exit(bool(wrong))


def soak(
    seconds: float, visitors: int, seed: int, processes: int = 1, log: Path | None = None
) -> list[str]:
    """Everything that went wrong."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = _servers(folder, processes, stack)
        site = stack.enter_context(_site(folder, servers))
        ledger, over = Ledger(), threading.Event()
        crowd = [Person(site.url, seed, number, ledger, over) for number in range(visitors)]
        for person in crowd:
            person.start()
        at_rest = _disturb(site, seconds, random.Random(seed))
        over.set()
        for person in crowd:
            person.join(REST_S)
        hanging = sum(person.is_alive() for person in crowd)
        database = str(servers.get("DATABASE_URL", f"sqlite:///{folder}/instance/chat.db"))
        wrong = [*ledger.surprises, *([f"{hanging} visitors are still waiting"] if hanging else [])]
        wrong += _does_not_rest(site, database, at_rest)
        owner = OwnerBrowser(site).sign_in(PASSWORD)
        wrong += wrong_numbers(_usage(owner), database)
        wrong += wrong_today(*_today(owner), database)
        site.end()
        stored = rows(database)
        if log is not None:
            log.write_text(site.log)
        wrong += [
            *integrity(database),
            *broken(ledger.promises, stored),
            *faults_in_the_log(site.log),
        ]
        _print_figures(ledger, stored)
        return wrong


def _servers(folder: Path, processes: int, stack: ExitStack) -> dict[str, object]:
    """The settings of several processes, and the servers that these need."""
    if processes == 1:
        return {}
    redis = redis_server(folder).start()
    stack.callback(redis.end)
    postgresql = postgresql_server().start()
    stack.callback(postgresql.end)
    database = postgresql.create("soak", is_copied=False)
    return {"WORKERS": processes, "DATABASE_URL": database, "REDIS_URL": redis.url}


@contextmanager
def _site(folder: Path, servers: dict[str, object]) -> Iterator[Site]:
    """A site with an agent on each platform of an emulator that runs beside it."""
    url, process = demo.start()
    try:
        requests.post(f"{url}/_emulator/settings", json=SWITCHES, timeout=20).raise_for_status()
        lines = []
        for name, options in demo.accounts(Settings(demo_url=url)).items():
            # Some of the crowd come by a code, and others without one.
            agent = {"id": name, "platform": name, "access": "open", **options, **LIMITS[name]}
            lines += ["[[agents]]", *(f"{key} = {value!r}" for key, value in agent.items())]
        agents = folder / "agents.toml"
        agents.write_text("\n".join(lines))
        settings = {
            "AGENTS_FILE": agents,
            "CHAT_TIMEOUT_S": CHAT_TIMEOUT_S,
            "GRACE_S": 2,
            "VISITOR_RATE": 0,
            "ADDRESS_SHARE": 0,
            "ADMIN_PASSWORD": PASSWORD,
            "ACCESS_CODES": ",".join(f"{name}:{code}" for name, code in CODES.items()),
            **servers,
        }
        site = Site(folder, settings)
        try:
            yield site.start()
        finally:
            site.end()
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def _disturb(site: Site, seconds: float, chance: random.Random) -> int:
    """Kills and restarts the site until the time is over. Returns the sockets of a worker that
    rests.
    """
    blows = max(2, int(seconds / 25))
    until = time.monotonic() + seconds
    sockets = _workers(site).sockets
    for number in range(blows):
        left = until - time.monotonic()
        time.sleep(max(0.0, left / (blows + 1 - number) * chance.uniform(0.7, 1.2)))
        workers = _workers(site)
        figures = f"{workers.memory_mb:.0f} MB, {workers.sockets} sockets"
        figures += f", {workers.threads} threads"
        if number == blows // 2:
            print(f"SIGTERM at {figures}", flush=True)
            assert site.process is not None
            site.process.terminate()
            site.process.wait(60)
        else:
            print(f"kill -9 at {figures}", flush=True)
            site.kill()
        site.start()
        sockets = _workers(site).sockets
    time.sleep(max(0.0, until - time.monotonic()))
    return sockets


def _usage(owner: OwnerBrowser) -> dict[str, Any]:
    """What the owner's desk says of the last days."""
    response = owner.get("/admin/usage?days=7", headers={"Accept": "application/json"})
    payload: dict[str, Any] = response.json()
    return payload


def _today(owner: OwnerBrowser) -> tuple[dict[str, int], str]:
    """What the desk's first page says of a day, and of which."""
    while True:
        day = datetime.now(CHINA).date()
        page = owner.get("/admin", headers={**HTML, "Accept-Language": "en"}).text
        if day == datetime.now(CHINA).date():
            break
    names = {name: name.lower() for name in ("Questions", "Visitors", "Failed")}
    tiles = re.findall(r"<dt>(\w+)</dt>\s*<dd>([\d,]+)</dd>", page)
    numbers = {
        {**names, "Answered": "answers"}[name]: int(number.replace(",", ""))
        for name, number in tiles
        if name in (*names, "Answered")
    }
    assert len(numbers) == 4, page
    return numbers, day.isoformat()


def _workers(site: Site) -> Workers:
    assert site.process is not None
    return Workers(site.process.pid)


def _does_not_rest(site: Site, database: str, sockets: int) -> Iterator[str]:
    """Waits until nothing is going on any more; says what goes on all the same."""
    workers, until = _workers(site), time.monotonic() + REST_S
    before = workers.memory_mb
    # Pooled connections to platforms stay open.
    allowed = sockets + 40 * len(workers.pids)
    while (left := running(database)) or workers.sockets > allowed:
        if time.monotonic() > until:
            yield f"{left} answers still run, {workers.sockets} sockets are open, not {sockets}"
            break
        time.sleep(0.5)
    print(
        f"at rest: {before:.0f} MB, then {workers.memory_mb:.0f} MB; {workers.sockets} sockets",
        flush=True,
    )
    if workers.memory_mb > MOST_MEMORY_MB:
        yield f"a worker holds {workers.memory_mb:.0f} MB"


def _print_figures(ledger: Ledger, stored: list[dict[str, object]]) -> None:
    known = [promise for promise in ledger.promises if promise.message or promise.conversation]
    states = Counter(f"{row['state']} {row['code'] or ''}".strip() for row in stored)
    print(f"asked {len(ledger.promises)}, known to be taken {len(known)}, stored {len(stored)}")
    print(f"heard to the end {sum(promise.end is not None for promise in known)}")
    print(f"connections that broke {ledger.broken_connections}")
    print("  ".join(f"{action} {times}" for action, times in sorted(ledger.counts.items())))
    print("  ".join(f"{state} {times}" for state, times in states.most_common()))


if __name__ == "__main__":
    main()
