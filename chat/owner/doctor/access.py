"""The doctor's look at who may ask: codes, keys, which have expired, whether everybody may."""

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from chat.agents.offered import Agents
from chat.owner.doctor.findings import Finding
from chat.settings.code_lists import SHORTEST_CODE, SHORTEST_KEY, Entry, entries, recipes
from chat.settings.model import Settings
from chat.visitors.addresses import is_loopback


def examine(settings: Settings, agents: Agents | None) -> Iterator[Finding]:
    """What rule is in force, and what is wrong with it."""
    codes = entries(settings.access_codes, SHORTEST_CODE)
    keys = entries(settings.api_keys, SHORTEST_KEY)
    yield _rule(settings, agents, codes, keys)
    if _is_unseen_behind_tls(settings):
        yield Finding("access_proxy", "access", {"url": settings.public_url})
    if answers := settings.visitor_live_answers * settings.address_share:
        yield Finding(
            "access_share", "access", {"share": settings.address_share, "answers": answers}
        )
    if keys and agents:
        yield from _polls(agents, len(keys))
    today = datetime.now(UTC).astimezone(ZoneInfo(settings.time_zone)).date()
    if expired := [*_expired(codes, today), *_expired(keys, today)]:
        yield Finding("access_expired", "access", {"names": ", ".join(expired)})
    for name, setting in (("ACCESS_CODES", codes), ("API_KEYS", keys)):
        if (salts := len(recipes(setting))) > 1:
            yield Finding("access_salts", "access", {"setting": name, "salts": salts})


def _polls(agents: Agents, keys: int) -> Iterator[Finding]:
    """The agents whose account is used up by the polls of programs."""
    for agent in agents.all:
        calls, polls = agent.account.qps, agent.provider.polls_per_second
        if calls and polls:
            facts = {"keys": keys, "calls": f"{calls:g}", "answers": int(calls / polls)}
            yield Finding("agent_polls", agent.id, facts)


def exposed(settings: Settings) -> Finding | None:
    """The finding that others than this machine reach a site without codes; None when not so."""
    if settings.access_codes is not None or is_loopback(settings.host):
        return None
    return Finding("access_exposed", "access", {"host": settings.host or "0.0.0.0"})


def warn(settings: Settings) -> None:
    """Warns in the log of an exposed site, once a start, in the site's language."""
    if finding := exposed(settings):
        language = settings.default_language
        warning = f"{finding.seen(language)} → {finding.to_do(language)}"
        logging.getLogger("chat.access").warning("%s", warning)


def _rule(
    settings: Settings, agents: Agents | None, codes: list[Entry], keys: list[Entry]
) -> Finding:
    facts = {"codes": len(codes), "keys": len(keys), "host": settings.host}
    if not codes:
        return exposed(settings) or Finding("access_open", "access", facts)
    free = [agent.id for agent in agents.all if agent.is_open] if agents else []
    if not free:
        return Finding("access_codes", "access", facts)
    return Finding("access_mixed", "access", {**facts, "agents": ", ".join(free)})


def _is_unseen_behind_tls(settings: Settings) -> bool:
    """Whether visitors come over HTTPS, which only a proxy can make of it, and none is trusted."""
    address = urlsplit(settings.public_url or "")
    is_public = address.scheme == "https" and not is_loopback(address.hostname or "")
    return is_public and not settings.trusted_proxies


def _expired(entries: list[Entry], today: date) -> list[str]:
    expired = [entry for entry in entries if entry.until and entry.until < today]
    return [entry.name or f"#{entry.number}" for entry in expired]
