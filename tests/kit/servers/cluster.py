"""Several processes of one site, as on several hosts: a PostgreSQL, a Redis, nginx in front."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import requests
from trustme import CA

from tests.kit.servers.postgresql import PostgresqlServer, postgresql_server
from tests.kit.servers.proxies import Proxy, nginx
from tests.kit.servers.redis import RedisServer, redis_server
from tests.kit.site import Site, Visitor

SECRET_KEY = "the same secret key at each of them"


@dataclass
class Cluster:
    """`sites` are the processes, each of which has a folder of its own, as on a host of its own."""

    sites: list[Site]
    proxy: Proxy
    postgresql: PostgresqlServer
    redis: RedisServer
    database: str

    def visitor(self) -> Visitor:
        """A new visitor, who is sent to any of the sites."""
        return self.proxy.visitor()

    def at(self, number: int, visitor: Visitor) -> Visitor:
        """The same visitor at one of the sites, with the answer at hand."""
        return Visitor(
            self.sites[number].url, visitor.session, visitor.conversation, visitor.message
        )

    def newcomer(self, number: int) -> Visitor:
        """A new visitor at one of the sites, who can go to another with the same cookies.

        Those that come through the proxy are for HTTPS only.
        """
        return Visitor(self.sites[number].url)

    def rows(self, question: str) -> list[tuple[str, str]]:
        """Id and state of the answers to questions that begin so."""
        with psycopg.connect(self.database) as db:
            return db.execute(
                "SELECT id, state FROM answers WHERE question LIKE %s", (question + "%",)
            ).fetchall()


@contextmanager
def cluster(folder: Path, authority: CA, sites: int, **settings: object) -> Iterator[Cluster]:
    """Starts it all. Skips the test where a server is missing, except where it must run."""
    with ExitStack() as stack:
        redis = redis_server(_folder(folder, "redis")).start()
        stack.callback(redis.end)
        postgresql = postgresql_server().start()
        stack.callback(postgresql.end)
        database = postgresql.create("cluster", is_copied=False)
        shared = {
            "SECRET_KEY": SECRET_KEY,
            "DATABASE_URL": database,
            "REDIS_URL": redis.url,
            "TRUSTED_PROXIES": 1,
            **settings,
        }
        started = [Site(_folder(folder, f"site{number}"), shared) for number in range(sites)]
        for site in started:
            stack.callback(site.end)
            site.start()
        proxy = nginx(_folder(folder, "nginx"), authority, *(site.port for site in started))
        stack.callback(proxy.end)
        yield Cluster(started, proxy, postgresql, redis, database)


def _folder(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def is_ready(site: Site) -> bool:
    """Whether the site says so."""
    try:
        return requests.get(f"{site.url}/readyz", timeout=5).ok
    except requests.RequestException:
        return False
