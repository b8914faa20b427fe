"""The site beside LiteLLM: the same call to the same platform, one worker each on the same core.

`python -m bench.peers`, after `make bench-peers` has installed LiteLLM in an environment of its
own. Ours also stores what is asked and answered, and is asked by Coze's protocol; LiteLLM passes
on an OpenAI-compatible platform's.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import clients
from bench import site as servers
from bench.clients import Heard
from bench.scenarios import percentile
from bench.site import ROOT, SITE_CORE

LITELLM = ROOT / ".venv-peers" / "bin" / "litellm"
CONFIG = """
model_list:
  - model_name: bench
    litellm_params:
      model: openai/bench
      api_base: {address}/v1
      api_key: none
litellm_settings:
  telemetry: false
general_settings:
  # On loopback, and without a key as the site is.
  dangerously_permit_weak_or_unset_master_key: true
"""
# Calls one after another, calls at once and for how long, streams at once and the events of each.
ALONE, AT_ONCE, SECONDS = 200, 16, 8.0
STREAMS, EVENTS = 10, 2000
ROUNDS = 3
QUESTION = "work=0 events=1 rate=0"


@dataclass
class Peer:
    """One that answers: by whole answers, and by streams."""

    name: str
    ask: Callable[[], Awaitable[object]]
    follow: Callable[[str], Awaitable[Heard]]


@dataclass
class Figures:
    """`alone_ms` is the median of a call, `rate` calls a second, `events` a second in bulk."""

    alone_ms: float
    rate: float
    events: float


def main() -> None:
    if not LITELLM.exists():
        sys.exit("LiteLLM is not installed: make bench-peers")
    with servers.platform() as address:
        port = int(address.rpartition(":")[2])
        direct = asyncio.run(_alone(lambda: clients.complete(port, QUESTION)))
        with servers.site(address, COZE_ASK="stream") as ours, _litellm(address) as theirs:
            peers = [_ours(ours.port), _theirs(theirs)]
            rounds = [[asyncio.run(_measure(peer)) for peer in peers] for _ in range(ROUNDS)]
    print(f"the platform itself: {direct:.1f} ms a call")
    for number, peer in enumerate(peers):
        best = _median([figures[number] for figures in rounds])
        print(
            f"{peer.name:10} {best.alone_ms - direct:6.1f} ms added (median), "
            f"{best.rate:6.0f} answers/s, {best.events:8,.0f} events/s in bulk"
        )
    ratios = [(one.rate / two.rate, one.events / two.events) for one, two in rounds]
    print("ours / LiteLLM:", ", ".join(f"{a:.1f} × and {b:.1f} ×" for a, b in ratios))


def _ours(port: int) -> Peer:
    return Peer(
        "the site",
        lambda: clients.ask(port, QUESTION),
        lambda question: clients.follow(port, question),
    )


def _theirs(port: int) -> Peer:
    return Peer(
        "LiteLLM",
        lambda: clients.complete(port, QUESTION),
        lambda question: clients.follow_completion(port, question),
    )


def _median(figures: list[Figures]) -> Figures:
    middle = len(figures) // 2
    return Figures(
        *(
            sorted(getattr(one, name) for one in figures)[middle]
            for name in ("alone_ms", "rate", "events")
        )
    )


async def _measure(peer: Peer) -> Figures:
    alone_ms = await _alone(peer.ask)
    until, answered = time.monotonic() + SECONDS, 0

    async def keep_asking() -> None:
        nonlocal answered
        while time.monotonic() < until:
            await peer.ask()
            answered += 1

    await asyncio.gather(*(keep_asking() for _ in range(AT_ONCE)))
    began = time.monotonic()
    question = f"events={EVENTS} rate=0"
    streams = await asyncio.gather(*(peer.follow(question) for _ in range(STREAMS)))
    seconds = time.monotonic() - began
    assert all(len(stream.lags) == EVENTS for stream in streams), peer.name
    return Figures(alone_ms, answered / SECONDS, STREAMS * EVENTS / seconds)


async def _alone(ask: Callable[[], Awaitable[object]]) -> float:
    times: list[float] = []
    for _ in range(ALONE):
        began = time.monotonic()
        assert await ask()
        times.append((time.monotonic() - began) * 1000)
    return percentile(times, 0.5)


@contextmanager
def _litellm(address: str) -> Iterator[int]:
    """LiteLLM's proxy with one worker, on the core of the site."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), servers.free_port()
        (folder / "config.yaml").write_text(CONFIG.format(address=address))
        options = ["--config", str(folder / "config.yaml"), "--num_workers", "1"]
        process = subprocess.Popen(
            [str(LITELLM), "--host", "127.0.0.1", "--port", str(port), *options],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=servers.on_core(SITE_CORE),
        )
        try:
            _wait(port, process)
            yield port
        finally:
            process.kill()
            process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=5).close()
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    sys.exit("LiteLLM did not start")


if __name__ == "__main__":
    main()
