"""The doctor's look at the platforms: can each host be reached, is each agent set up, does it
answer.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import urlsplit

from chat.agents.cures import CURES
from chat.agents.offered import Agent
from chat.owner.doctor.findings import Finding
from chat.owner.doctor.words import DIAGNOSES
from chat.settings.model import Settings
from chat.settings.words import Words
from chat.storage.engine.kinds import StorageError
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

# For a host, and for the calls that look at one agent.
PATIENCE_S = 10.0
ANSWER_S = 60.0
# Tokens and signatures hold for minutes: a clock that is wrong by less does no harm.
SKEW_S = 60.0
QUESTION = "你好"
NOBODY = "0" * 32

# The kinds of failure in the text of an Unavailable (providers/http.py), the clearest first.
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
# Of an answer that began; whether its host is silent is seen by asking.
SLOW = Words(
    "回答超过了 CHAT_TIMEOUT_S 秒：调大它，或在平台上精简工作流、换更快的模型",
    "The answer took longer than CHAT_TIMEOUT_S seconds: raise it, or shorten the workflow or "
    "choose a faster model on the platform",
)

Job = Callable[[], Iterable[Finding]]


def examine(settings: Settings, agents: Sequence[Agent], asks: bool) -> list[Finding]:
    """Looks at all hosts, then at all agents whose hosts can be reached, each lot side by side."""
    network = Network(
        str(settings.ca_bundle) if settings.ca_bundle else None, settings.upstream_proxy
    )
    http = Http("doctor", network)
    hosts = list(dict.fromkeys(host for agent in agents for host in _hosts(agent)))
    findings = _side_by_side({host: partial(reach, http, host) for host in hosts}, PATIENCE_S)
    lost = {finding.about for finding in findings if finding.level == "fail"}
    jobs: dict[str, Job] = {}
    for agent in agents:
        if any(_name(host) in lost for host in _hosts(agent)):
            findings.append(Finding("agent_skipped", agent.id))
        else:
            jobs[agent.id] = partial(look, agent, asks)
    return findings + _side_by_side(jobs, PATIENCE_S + (ANSWER_S if asks else 0))


def reach(http: Http, host: str, seconds: float = PATIENCE_S) -> list[Finding]:
    """Whether a host answers at all, by a certificate we trust, and what time it has."""
    name = _name(host)
    try:
        with http.open("GET", host, deadline=time.monotonic() + seconds) as response:
            kind = "host_ok" if host.startswith("https://") else "host_plain"
            return [Finding(kind, name), *_clock(response, name)]
    except Unexpected:
        # It redirects whoever does not ask its API.
        return [Finding("host_ok", name)]
    except ProviderError as error:
        return [failure(error, name)]


def look(agent: Agent, asks: bool) -> Iterator[Finding]:
    """What can be seen of an agent for nothing; when that is well and it `asks`, by a question."""
    is_well = True
    try:
        for observation in agent.provider.check(time.monotonic() + PATIENCE_S):
            finding = _observed(observation, agent)
            is_well = is_well and finding.level != "fail"
            if not (asks and is_well and observation.subject == "unseen"):
                yield finding
        if asks and is_well:
            yield _ask(agent)
    except ProviderError as error:
        if isinstance(error.__cause__, StorageError):
            # Where a web app's tokens are stored, there is nothing yet.
            error = AuthRejected(
                "there are no tokens", provider=agent.platform, code="unauthorised"
            )
        yield failure(error, agent.id)


def _ask(agent: Agent) -> Finding:
    """Asks past the queue and the day's budget of the site: it is the owner who asks, and once."""
    began = time.monotonic()
    size = 0
    turn = Turn(QUESTION, NOBODY, Stop(), began + ANSWER_S)
    for event in agent.provider.stream(turn):
        if isinstance(event, Delta | Rewrite):
            size += len(event.text)
    facts = {"seconds": f"{time.monotonic() - began:.1f}", "characters": size}
    return Finding("agent_answered" if size else "agent_empty", agent.id, facts)


def _observed(observation: Observation, agent: Agent) -> Finding:
    detail = observation.detail
    facts = {
        "scope": detail,
        "other": detail,
        "name": Words(f"（{detail}）", f" ({detail})") if detail else "",
        "base": agent.provider.addresses[0],
    }
    return Finding(f"agent_{observation.subject}", agent.id, facts, observation.error)


def failure(error: ProviderError, about: str) -> Finding:
    """The finding for an error of a provider, wherever it came up."""
    id = KINDS[next(kind for kind in type(error).__mro__ if kind in KINDS)]
    if id == "agent_trouble":
        id = next((finding for sign, finding in SIGNS.items() if sign in str(error)), id)
    return Finding(id, about, error=error)


def remedies(platform: str, reason: str) -> list[Words]:
    """What to do about failures of which only the reason is known, one of the contract's codes."""
    if reason == TimedOut.reason:
        return [SLOW]
    words: list[Words] = []
    for kind, id in KINDS.items():
        if kind.reason != reason:
            continue
        remedy = CURES.get(platform, {}).get(kind.__name__) or DIAGNOSES[id].to_do
        if remedy not in words and "{cure}" not in remedy.zh:
            words.append(remedy)
    return words


def _clock(response: Response, name: str) -> Iterator[Finding]:
    """How far our clock is from the platform's.

    Signed tokens (JWT) are refused by one that is wrong.
    """
    try:
        platform_time = parsedate_to_datetime(response.headers["date"])
        seconds = round(abs((datetime.now(UTC) - platform_time).total_seconds()))
    except (KeyError, ValueError, TypeError):
        return
    yield Finding("clock_ok" if seconds <= SKEW_S else "clock_wrong", name, {"seconds": seconds})


def _hosts(agent: Agent) -> list[str]:
    addresses = [urlsplit(address) for address in agent.provider.addresses]
    return [f"{address.scheme}://{address.netloc}/" for address in addresses]


def _name(host: str) -> str:
    return urlsplit(host).netloc.rpartition("@")[2]


def _side_by_side(jobs: dict[str, Job], seconds: float) -> list[Finding]:
    """Runs each job on a thread of its own; whoever is not back in time is left behind.

    The threads are daemons: a look-up of a name cannot be interrupted and must not keep the
    doctor waiting.
    """
    results: dict[str, list[Finding]] = {}

    def run(name: str, job: Job) -> None:
        try:
            results[name] = list(job())
        except Exception as error:
            # Only its kind: a text of unknown origin may hold a secret.
            results[name] = [Finding("fault", name, {"reason": type(error).__name__})]

    threads = [threading.Thread(target=run, args=job, daemon=True) for job in jobs.items()]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds + 1
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    # A thread that is late may still add its results.
    in_time = dict(results)
    silent = {name: [Finding("host_silent", name)] for name in jobs}
    return [finding for name in jobs for finding in in_time.get(name, silent[name])]
