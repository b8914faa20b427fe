"""Measures the site, prints a table of ratios and keeps it in bench/RESULTS.md; see `--size`."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import scenarios
from bench import site as servers
from bench.scenarios import percentile
from bench.site import OTHER_CORE, ROOT, Site

RESULTS = Path(__file__).parent / "RESULTS.md"
HEAD = """# What one process on one core carries

Written by `make bench`: the site as it is deployed on one core of this machine ({cores}), the
visitors and a Coze look-alike on another, all on loopback. Ratios say more than times, since
machines differ. The naive page (`bench/naive.py`) creates, polls once a second and takes the first
of the list, under two sync workers.

| measure | ours | target | | naive |
|---|--:|--:|---|--:|
"""
Row = tuple[str, str, str, bool, str]


def main() -> None:
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {OTHER_CORE})
    rows = [*_installed()] if "--size" in sys.argv else []
    with servers.platform() as address:
        port = int(address.rpartition(":")[2])
        own_s = asyncio.run(scenarios.own_time(port))
        with servers.naive(address) as page:
            naive = asyncio.run(scenarios.waiting(page, scenarios.NAIVE_CHATS, scenarios.NAIVE_S))
        with servers.site(address) as site:
            rows += _at_rest(site)
            rows += _waiting(site, own_s, naive)
            rows += _streaming(site)
        with servers.site(address) as site:
            rows += _bulk(site)
    text = HEAD.format(cores=f"{os.cpu_count()} cores") + "".join(_line(*row) for row in rows)
    RESULTS.write_text(text, encoding="utf-8")
    print(text)


def _at_rest(site: Site) -> list[Row]:
    time.sleep(1)
    memory = site.memory_mb()
    return [
        ("ready after the start", f"{site.ready_s:.1f} s", "< 2 s", site.ready_s < 2, ""),
        ("memory at rest, master and worker", f"{memory:.0f} MB", "< 100 MB", memory < 100, ""),
    ]


def _waiting(site: Site, own_s: float, naive: scenarios.Waiting) -> list[Row]:
    chats = scenarios.CHATS
    ours = asyncio.run(scenarios.waiting(site))
    ratio, healthy = ours.seconds / own_s, percentile(ours.health_ms, 0.99)
    naive_ratio = scenarios.CHATS / max(naive.answered, 1) * naive.seconds / own_s
    naive_healthy = percentile(naive.health_ms, 0.99)
    return [
        (
            f"{chats:,} waiting chats answered",
            f"{ours.answered:,}",
            f"{chats:,}",
            ours.answered == chats,
            "",
        ),
        (
            "… within, of the platform's own time",
            f"{ratio:.2f} ×",
            "1.35 ×",
            ratio <= 1.35,
            f"{naive_ratio:,.0f} × (from {naive.answered} in {naive.seconds:.0f} s)",
        ),
        (
            "… memory at most, master and worker",
            f"{ours.memory_mb:.0f} MB",
            "< 150 MB",
            ours.memory_mb < 150,
            f"{naive.memory_mb:.0f} MB for 2",
        ),
        (
            "… /healthz meanwhile, p99",
            f"{healthy:.0f} ms",
            "< 100 ms",
            healthy < 100,
            f"> {naive_healthy:.0f} ms" if naive.health_ms else f"none in {naive.seconds:.0f} s",
        ),
    ]


def _streaming(site: Site) -> list[Row]:
    streams, calm = asyncio.run(scenarios.streaming(site.port))
    lags = [lag * 1000 for stream in streams for lag in stream.lags]
    whole = sum(stream.is_whole for stream in streams)
    name = f"{scenarios.STREAMS} streams of {scenarios.RATE} events/s"
    late = percentile([lag * 1000 for lag in calm], 0.99)
    return [
        (
            f"{name}, read to their end",
            str(whole),
            str(scenarios.STREAMS),
            whole == scenarios.STREAMS,
            "none",
        ),
        ("… lag of an event, median", f"{percentile(lags, 0.5):.0f} ms", "", True, ""),
        ("… lag of an event while all 200 run, p99", f"{late:.0f} ms", "≤ 20 ms", late <= 20, ""),
        ("… while they begin and end too, p99", f"{percentile(lags, 0.99):.0f} ms", "", True, ""),
    ]


def _bulk(site: Site) -> list[Row]:
    seconds, streams = asyncio.run(scenarios.bulk(site.port))
    events = sum(len(stream.lags) for stream in streams)
    stored = [state for state, size in site.stored() if size > scenarios.BULK_EVENTS * len("[1] ")]
    is_whole = stored == ["done"] * scenarios.BULK_STREAMS
    is_whole &= events == scenarios.BULK_STREAMS * scenarios.BULK_EVENTS
    rate = events / seconds
    return [
        ("events a second in bulk", f"{rate:,.0f}", "≥ 10,000", rate >= 10_000, "none"),
        ("… all of them told and stored", "yes" if is_whole else "no", "yes", is_whole, ""),
    ]


def _installed() -> list[Row]:
    """The size of requirements.txt in a fresh environment, as du counts it."""
    with tempfile.TemporaryDirectory() as name:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", name], check=True)
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            f"{name}/bin/python",
            "install",
            "-q",
            "--no-compile",
        ]
        subprocess.run([*pip, "-r", str(ROOT / "requirements.txt")], check=True)
        sizes = subprocess.run(
            ["du", "-sm", *Path(name).glob("lib/*/site-packages")], capture_output=True
        )
        size = int(sizes.stdout.split()[0])
    return [("packages of requirements.txt", f"{size} MB", "< 180 MB", size < 180, "")]


def _line(measure: str, ours: str, target: str, is_met: bool, naive: str) -> str:
    verdict = ("ok" if is_met else "**missed**") if target else ""
    return f"| {measure} | {ours} | {target} | {verdict} | {naive} |\n"


if __name__ == "__main__":
    main()
