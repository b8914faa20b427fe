"""The doctor's look at who may ask: how many codes and keys, which have expired, whether all the world."""

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from chat.agents.offered import Agents
from chat.owner.doctor.findings import Finding
from chat.settings.model import Settings
from chat.visitors.addresses import is_loopback
from chat.visitors.codes import SHORTEST_CODE, SHORTEST_KEY, Entry, entries


def examine(settings: Settings, agents: Agents | None) -> Iterator[Finding]:
    """What rule is in force, and what is wrong with it."""
    codes = entries(settings.access_codes, SHORTEST_CODE)
    keys = entries(settings.api_keys, SHORTEST_KEY)
    counts: dict[str, object] = {"codes": len(codes), "keys": len(keys), "host": settings.host}
    if codes:
        free = [one.id for one in agents.all if one.is_open] if agents else []
        counts |= {"agents": ", ".join(free)}
        yield Finding("access_mixed" if free else "access_codes", "access", counts)
    else:
        yield exposed(settings) or Finding("access_open", "access", counts)
    if _is_unseen_behind_tls(settings):
        yield Finding("access_proxy", "access", {"url": settings.public_url})
    today = datetime.now(UTC).astimezone(ZoneInfo(settings.time_zone)).date()
    if gone := [*_expired(codes, today), *_expired(keys, today)]:
        yield Finding("access_expired", "access", {"names": ", ".join(gone)})


def exposed(settings: Settings) -> Finding | None:
    """The finding that others than this machine reach a site without codes; None when that is not so."""
    if settings.access_codes is not None or is_loopback(settings.host):
        return None
    return Finding("access_exposed", "access", {"host": settings.host or "0.0.0.0"})


def warn(settings: Settings) -> None:
    """Says so in the log, once a start, in the site's language."""
    if found := exposed(settings):
        language = settings.default_language
        said = f"{found.seen(language)} → {found.to_do(language)}"
        logging.getLogger("chat.access").warning("%s", said)


def _is_unseen_behind_tls(settings: Settings) -> bool:
    """Whether visitors come over HTTPS, which only a proxy can make of it, and none is trusted."""
    address = urlsplit(settings.public_url or "")
    is_public = address.scheme == "https" and not is_loopback(address.hostname or "")
    return is_public and not settings.trusted_proxies


def _expired(entries: list[Entry], today: date) -> list[str]:
    return [one.name or f"#{one.number}" for one in entries if one.until and one.until < today]
