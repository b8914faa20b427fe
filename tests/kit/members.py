"""Visitors of a site that asks for access codes: with one, with a key, with nothing."""

import hashlib
import re
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any

import requests

from chat.visitors.puzzles import is_solution
from tests.kit.site import Site, Visitor

ANN, BEA, OLD, THRIFTY = (
    "brass-lantern-42",
    "paper-kite-77",
    "last-years-code-9",
    "two-a-day-only-2",
)
KEY, POOR_KEY, OLD_KEY = "0123456789abcdef-key", "fedcba9876543210-key", "old-0123456789abcdef"
CODES = f"ann:{ANN},bea:{BEA}:2899-12-31,old:{OLD}:2020-01-01,:{THRIFTY}::2"
KEYS = f"kiosk:{KEY} poor:{POOR_KEY}::1 gone:{OLD_KEY}:2020-01-01"
SECRETS = (ANN, BEA, OLD, THRIFTY, KEY, POOR_KEY, OLD_KEY)
HTML = {"Accept": "text/html,*/*;q=0.8"}


HOUSES = iter(range(1, 60_000))


def newcomer(site: Site, **headers: str) -> Visitor:
    """Somebody at an address of their own, so that tests do not brake each other."""
    house = next(HOUSES)
    visitor = Visitor(site.url)
    visitor.session.headers.update(
        {"X-Forwarded-For": f"10.0.{house // 250}.{house % 250 + 1}", **headers}
    )
    return visitor


def sign_in(visitor: Visitor, code: str, **more: Any) -> requests.Response:
    return visitor.post(
        "/sign-in", data={"code": code, **more}, headers=HTML, allow_redirects=False
    )


def solve(page: str) -> dict[str, str]:
    """The fields of the form for signing in when its puzzle is solved; none without a puzzle."""
    match = re.search(r'data-puzzle="([^"]+)" data-bits="(\d+)"', page)
    if match is None:
        return {}
    seed, nonce = hashlib.sha256(match[1].encode()).digest(), 0
    # At 16 bits or more only every 65,536th deserves a closer look.
    while hashlib.sha256(seed + nonce.to_bytes(8, "big")).digest()[:2] != b"\0\0" or (
        not is_solution(match[1], nonce, int(match[2]))
    ):
        nonce += 1
    return {"puzzle": match[1], "nonce": str(nonce)}


def member(site: Site, code: str = ANN) -> Visitor:
    """Somebody who has signed in."""
    visitor = newcomer(site)
    assert sign_in(visitor, code).status_code == 303
    return visitor


def program(site: Site, key: str = KEY) -> Visitor:
    return newcomer(site, Authorization=f"Bearer {key}")


def is_refused(response: requests.Response) -> bool:
    return response.status_code == 401 and response.json()["code"] == "sign_in"


def with_cookies(site: Site, cookies: dict[str, str]) -> Visitor:
    """A browser with these cookies, wherever they come from."""
    visitor = newcomer(site)
    for name, value in cookies.items():
        visitor.session.cookies.set(name, value, domain="127.0.0.1")
    return visitor


def cookies_of(visitor: Visitor) -> dict[str, str]:
    return {name: value for name, value in visitor.session.cookies.items()}


def set_cookies(response: requests.Response) -> Any:
    jar: Any = {}
    for line in response.raw.headers.getlist("Set-Cookie"):
        jar |= SimpleCookie(line)
    return jar


def rows(site: Site, query: str) -> list[Any]:
    with closing(sqlite3.connect(site.folder / "instance" / "chat.db", timeout=10)) as database:
        return database.execute(query).fetchall()


def age(site: Site, visitor: Visitor, by: timedelta) -> None:
    """As if the visitor had signed in so much earlier."""
    id = hashlib.sha256(visitor.session.cookies["session"].encode()).hexdigest()
    with closing(sqlite3.connect(site.folder / "instance" / "chat.db", timeout=10)) as database:
        (ends,) = database.execute("SELECT expires_at FROM sessions WHERE id = ?", [id]).fetchone()
        earlier = (datetime.fromisoformat(ends) - by).isoformat(" ")
        with database:
            database.execute("UPDATE sessions SET expires_at = ? WHERE id = ?", [earlier, id])


def age_all(site: Site) -> None:
    """As if all had signed in more than thirty days ago."""
    with (
        closing(sqlite3.connect(site.folder / "instance" / "chat.db", timeout=10)) as database,
        database,
    ):
        database.execute("UPDATE sessions SET expires_at = '2020-01-01 00:00:00.000000'")
