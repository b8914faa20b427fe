"""Lighthouse scores a conversation of thirty messages, on a phone and a desk; below 100 fails."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.kit.browsing import CHROMIUM
from tests.kit.site import ROOT, Site, Visitor

COMMAND = ROOT / "node_modules/lighthouse/cli/index.js"
PRESETS: dict[str, list[str]] = {"phone": [], "desk": ["--preset=desktop"]}
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
RUNS = 3
FLAGS = "--headless=new --no-sandbox --disable-gpu"
QUESTIONS = (
    "!pieces 3 0 Which hall should I see first?",
    "!pieces 3 0 !markdown",
    "!pieces 3 0 !think !cite !image 这件展品有什么故事？",
)


def conversation(visitor: Visitor) -> str:
    """Asks fifteen questions; the path of the conversation."""
    for number in range(15):
        told = list(visitor.hear(f"{QUESTIONS[number % len(QUESTIONS)]} {number + 1}"))
        assert told[-1].name == "done", told[-1]
    return f"/c/{visitor.conversation}"


def report(url: str, cookie: str, options: list[str]) -> dict[str, Any]:
    """Lighthouse's whole report on the page that a visitor with this cookie gets."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        command = [
            *("node", str(COMMAND), url, *options, "--quiet", "--no-enable-error-reporting"),
            *("--output=json", f"--output-path={path}", f"--chrome-flags={FLAGS}"),
            f"--extra-headers={json.dumps({'Cookie': cookie})}",
        ]
        environment = {**os.environ, "CHROME_PATH": CHROMIUM, "TMPDIR": folder}
        subprocess.run(command, cwd=folder, env=environment, check=True, timeout=300)
        return dict(json.loads(path.read_text(encoding="utf-8")))


def median(url: str, cookie: str, options: list[str]) -> dict[str, Any]:
    """The report in the middle by its performance, which varies with what else the machine does."""
    reports = [report(url, cookie, options) for _ in range(RUNS)]
    return sorted(reports, key=lambda one: scores(one)["performance"])[RUNS // 2]


def scores(found: dict[str, Any]) -> dict[str, int]:
    """Points in each category, of a hundred."""
    if "runtimeError" in found:
        raise SystemExit(
            f"Lighthouse could not look at the page: {found['runtimeError']['message']}"
        )
    return {name: round(100 * (found["categories"][name]["score"] or 0)) for name in CATEGORIES}


def costs(found: dict[str, Any]) -> list[str]:
    """The audits that cost points, and where."""
    lines = []
    for name in CATEGORIES:
        for reference in found["categories"][name]["auditRefs"]:
            audit = found["audits"][reference["id"]]
            if reference["weight"] and audit["score"] is not None and audit["score"] < 1:
                points = f"{audit['score']:.2f} of weight {reference['weight']}"
                value = audit.get("displayValue", "")
                lines.append(f"{name}: {reference['id']} ({points}) {value} {audit['title']}")
                lines += [f"    {place}" for place in _places(audit)]
    return lines


def _places(audit: dict[str, Any]) -> list[str]:
    items = audit.get("details", {}).get("items", [])
    return [
        json.dumps(one.get("node", {}).get("snippet") or one, ensure_ascii=False)[:200]
        for one in items[:4]
    ]


def main() -> int:
    for needed, cure in (
        (COMMAND, "npm ci"),
        (Path(CHROMIUM), "apt-get install chromium-headless-shell"),
    ):
        if not needed.exists() or not shutil.which("node"):
            print(f"Needs Node.js and {needed.name}: {cure}", file=sys.stderr)
            return 1
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder), {})
        try:
            visitor = Visitor(site.start().url)
            path = conversation(visitor)
            cookie = "; ".join(f"{one.name}={one.value}" for one in visitor.session.cookies)
            found = {
                name: median(site.url + path, cookie, options) for name, options in PRESETS.items()
            }
        finally:
            site.end()
    print("      " + "".join(f"{name:>16}" for name in CATEGORIES))
    for name, one in found.items():
        speed = one["environment"][
            "benchmarkIndex"
        ]  # half of what it was: somebody else is at work here
        points = "".join(f"{score:>16}" for score in scores(one).values())
        print(f"{name:6}{points}    this machine's speed: {speed:.0f}")
    for name, one in found.items():
        for line in costs(one):
            print(f"{name}: {line}")
    return 0 if all(score == 100 for one in found.values() for score in scores(one).values()) else 1


if __name__ == "__main__":
    sys.exit(main())
