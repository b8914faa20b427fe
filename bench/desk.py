"""How long each page of the owner's desk takes at a hundred thousand answers, on both databases.

`python -m bench.desk`
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import requests
from sqlalchemy import Engine, text

from bench import site as servers
from chat import storage
from chat.settings.model import Settings
from chat.storage.models import now
from tests.kit.filling import fill
from tests.kit.servers.postgresql import postgresql_server

VISITORS, CONVERSATIONS, ANSWERS, ROUNDS = 100, 250, 4, 7
MOST_MS = 300
PERIOD_S = 90 * 86_400.0
AGENTS = ("coze", "yuanqi", "wenxin", "qingyan", "huawei")
PAGES = (
    "/admin",
    "/admin/usage?days=7",
    "/admin/usage?days=30",
    "/admin/usage?days=90",
    "/admin/questions",
    "/admin/questions?state=failed",
    "/admin/questions?agent=wenxin",
    "/admin/questions?q=高铁",
    "/admin/questions?q=没有的词语",
    "/admin/thumbs",
    "/admin/log",
)
PASSWORD = "a password for measuring only"
# As if the answers had been asked by codes, of several agents, and some had failed.
VARIETY = (
    "UPDATE outcomes SET first_s = (id * 7919 % 9000) / 1000.0, tokens = id % 2000, "
    "access = CASE id % 3 WHEN 0 THEN 'code:museum' WHEN 1 THEN 'key:app' END",
    "UPDATE outcomes SET state = 'failed', code = 'timeout' WHERE id % 17 = 0",
    "UPDATE answers SET is_readable = true",
    "UPDATE answers SET state = 'failed', code = 'timeout' WHERE sequence % 17 = 0",
)


def main() -> None:
    print(f"{VISITORS * CONVERSATIONS * ANSWERS:,} answers of {VISITORS} visitors in 90 days")
    with servers.platform() as platform:
        for name, address in _databases():
            print(name)
            _measure(platform, address)


@contextmanager
def _folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/chat.db"


def _databases() -> Iterator[tuple[str, str]]:
    with _folder() as address:
        yield "SQLite", address
    server = postgresql_server().start()
    try:
        yield "PostgreSQL", server.create("bench", is_copied=False)
    finally:
        server.end()


def _measure(platform: str, address: str) -> None:
    store = storage.connect(Settings(database_url=address))
    apart_s = PERIOD_S / (CONVERSATIONS * ANSWERS)
    for number in range(VISITORS):
        agent = AGENTS[number % len(AGENTS)]
        fill(
            store.engine,
            f"visitor {number}",
            CONVERSATIONS,
            ANSWERS,
            agent=agent,
            words=60,
            apart_s=apart_s,
            seed=number,
        )
    _vary(store.engine)
    # What the housekeeper does within a minute.
    store.outcomes.close(now().date())
    store.close()
    settings = {"DATABASE_URL": address, "ADMIN_PASSWORD": PASSWORD, "OWNER_READS": "on"}
    with servers.site(platform, **settings) as site, requests.Session() as owner:
        url = f"http://127.0.0.1:{site.port}"
        owner.post(f"{url}/admin/sign-in", data={"password": PASSWORD}).raise_for_status()
        for path in PAGES:
            _print_times(owner, url, path)


def _vary(engine: Engine) -> None:
    with engine.begin() as db:
        for statement in VARIETY:
            db.execute(text(statement))
    if engine.dialect.name == "postgresql":
        # What the server does by itself within a minute.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.execute(text("VACUUM ANALYZE"))


def _print_times(owner: requests.Session, url: str, path: str) -> None:
    times = sorted(_ms(owner, url + path) for _ in range(ROUNDS))
    verdict = "ok" if median(times) < MOST_MS else "too slow"
    print(f"{path:36} median {median(times):4.0f} ms, worst {times[-1]:4.0f} ms   {verdict}")


def _ms(owner: requests.Session, address: str) -> float:
    began = time.perf_counter()
    response = owner.get(address, headers={"Accept": "text/html"}, timeout=60)
    assert response.status_code == 200, response.text
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
