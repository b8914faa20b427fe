"""The doctor's look at the platforms: can each host be reached, is each agent set up, does it answer."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import urlsplit

from chat.agents.offered import Agent
from chat.owner.doctor.findings import Finding
from chat.settings.model import Settings
from chat.storage.sqlite import StorageError
from providers.base import Observation, Turn
from providers.errors import (
    AuthRejected,
    BadQuestion,
    Busy,
    ContentBlocked,
    EmptyAnswer,
    NeedsAction,
    NotConfigured,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    TimedOut,
    Unavailable,
    Unexpected,
)
from providers.events import Delta, Rewrite
from providers.http import Http, Network, Response
from providers.stop import Stop

PATIENCE_S = 10.0  # for a host, and for the calls that look at one agent
ANSWER_S = 60.0
SKEW_S = 60.0
QUESTION = "你好"
NOBODY = "0" * 32

# The kinds of failure that an Unavailable tells of (providers/http.py), the most telling first.
SIGNS = {
    "ProxyError": "host_proxy",
    "NameResolutionError": "host_unknown",
    "SSLCertVerificationError": "host_tls",
    "SSLError": "host_not_tls",
    "ConnectTimeoutError": "host_silent",
    "ReadTimeoutError": "host_silent",
    "ConnectionRefusedError": "host_refused",
}
KINDS: dict[type[ProviderError], str] = {
    NotConfigured: "agent_refused",
    AuthRejected: "agent_refused",
    QuotaExhausted: "agent_refused",
    RateLimited: "agent_busy",
    Busy: "agent_busy",
    ContentBlocked: "agent_odd",
    BadQuestion: "agent_odd",
    NeedsAction: "agent_odd",
    EmptyAnswer: "agent_empty",
    TimedOut: "host_silent",
    Unavailable: "agent_trouble",
    Unexpected: "agent_strange",
}

Job = Callable[[], Iterable[Finding]]


def examine(settings: Settings, agents: Sequence[Agent], asks: bool) -> list[Finding]:
    """Looks at all hosts, then at all agents whose hosts can be reached, each lot side by side."""
    network = Network(
        str(settings.ca_bundle) if settings.ca_bundle else None, settings.upstream_proxy
    )
    http = Http("doctor", network)
    hosts = list(dict.fromkeys(host for agent in agents for host in _hosts(agent)))
    found = _side_by_side({host: partial(reach, http, host) for host in hosts}, PATIENCE_S)
    lost = {one.about for one in found if one.level == "fail"}
    jobs: dict[str, Job] = {}
    for agent in agents:
        if any(_name(host) in lost for host in _hosts(agent)):
            found.append(Finding("agent_skipped", agent.id))
        else:
            jobs[agent.id] = partial(look, agent, asks)
    return found + _side_by_side(jobs, PATIENCE_S + (ANSWER_S if asks else 0))


def reach(http: Http, host: str, seconds: float = PATIENCE_S) -> list[Finding]:
    """Whether a host answers at all, by a certificate we trust, and what time it has."""
    name = _name(host)
    try:
        with http.open("GET", host, deadline=time.monotonic() + seconds) as response:
            kind = "host_ok" if host.startswith("https://") else "host_plain"
            return [Finding(kind, name), *_clock(response, name)]
    except Unexpected:
        return [Finding("host_ok", name)]  # it redirects whoever does not ask its API
    except ProviderError as error:
        return [failure(error, name)]


def look(agent: Agent, asks: bool) -> Iterator[Finding]:
    """What can be seen of an agent for nothing; and, when that is well and it `asks`, by a question."""
    is_well = True
    try:
        for seen in agent.provider.check(time.monotonic() + PATIENCE_S):
            finding = _seen(seen, agent)
            is_well = is_well and finding.level != "fail"
            if not (asks and is_well and seen.subject == "unseen"):
                yield finding
        if asks and is_well:
            yield _asked(agent)
    except ProviderError as error:
        yield failure(error, agent.id)
    except StorageError:  # where a web app's tokens are kept, there is nothing yet
        lacking = AuthRejected("no tokens are kept", provider=agent.platform, code="unauthorised")
        yield failure(lacking, agent.id)


def _asked(agent: Agent) -> Finding:
    """Asks past the line and the day's budget of the site: it is the owner who asks, and once."""
    began, size = time.monotonic(), 0
    turn = Turn(QUESTION, NOBODY, Stop(), began + ANSWER_S)
    for event in agent.provider.stream(turn):
        if isinstance(event, Delta | Rewrite):
            size += len(event.text)
    facts = {"seconds": f"{time.monotonic() - began:.1f}", "characters": size}
    return Finding("agent_answered" if size else "agent_empty", agent.id, facts)


def _seen(seen: Observation, agent: Agent) -> Finding:
    facts = {
        "scope": seen.detail,
        "other": seen.detail,
        "name": f" ({seen.detail})" if seen.detail else "",
    }
    facts |= {"base": agent.provider.addresses[0]}
    return Finding(f"agent_{seen.subject}", agent.id, facts, seen.error)


def failure(error: ProviderError, about: str) -> Finding:
    """The finding for an error of a provider, wherever it came up."""
    kind = KINDS[next(one for one in type(error).__mro__ if one in KINDS)]
    if kind == "agent_trouble":
        kind = next((found for sign, found in SIGNS.items() if sign in str(error)), kind)
    return Finding(kind, about, error=error)


def _clock(response: Response, name: str) -> Iterator[Finding]:
    """How far our clock is from the platform's. Signed tokens (JWT) are refused by one that is wrong."""
    try:
        theirs = parsedate_to_datetime(response.headers["date"])
        seconds = round(abs((datetime.now(UTC) - theirs).total_seconds()))
    except (KeyError, ValueError, TypeError):
        return
    yield Finding("clock_ok" if seconds <= SKEW_S else "clock_wrong", name, {"seconds": seconds})


def _hosts(agent: Agent) -> list[str]:
    parts = [urlsplit(address) for address in agent.provider.addresses]
    return [f"{one.scheme}://{one.netloc}/" for one in parts]


def _name(host: str) -> str:
    return urlsplit(host).netloc.rpartition("@")[2]


def _side_by_side(jobs: dict[str, Job], seconds: float) -> list[Finding]:
    """Runs each job on a thread of its own; whoever is not back in time is left behind.

    The threads are daemons: a look-up of a name cannot be interrupted, and must not keep the doctor.
    """
    results: dict[str, list[Finding]] = {}

    def run(name: str, job: Job) -> None:
        try:
            results[name] = list(job())
        except Exception as error:  # only its kind: a text of unknown origin may hold a secret
            results[name] = [Finding("fault", name, {"reason": type(error).__name__})]

    threads = [threading.Thread(target=run, args=one, daemon=True) for one in jobs.items()]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds + 1
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    done = dict(results)
    return [one for name in jobs for one in done.get(name, [Finding("host_silent", name)])]
