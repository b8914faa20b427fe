"""Lighthouse scores a site of thirty agents, on a phone and a desk; below 100 fails.

`python -m bench.lighthouse` looks at the start page, a conversation of thirty messages, what others
see of it by a link, and pages of the owner's desk; `python -m bench.lighthouse home` at one.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import requests

from bench.agents import many_agents
from emulator import EmulatorSettings, create_emulator
from emulator.serving import serve
from tests.kit.browsing import CHROMIUM
from tests.kit.desk import PASSWORD, OwnerBrowser
from tests.kit.site import ROOT, Site, Visitor

COMMAND = ROOT / "node_modules/lighthouse/cli/index.js"
PRESETS: dict[str, list[str]] = {"phone": [], "desk": ["--preset=desktop"]}
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
RUNS = 3
AGENTS = 30
DESK = {
    "today": "/admin",
    "usage": "/admin/usage?days=30",
    "questions": "/admin/questions",
    "agents": "/admin/agents",
    "site": "/admin/site",
}
# No search engine is to find the desk.
DESK_CATEGORIES = "--only-categories=performance,accessibility,best-practices"
# Of what is shared the address is the key: it says itself that no search engine is to have it.
OPTIONS = {"shared": ["--skip-audits=is-crawlable"], **{page: [DESK_CATEGORIES] for page in DESK}}
FLAGS = "--headless=new --no-sandbox --disable-gpu"
QUESTIONS = (
    "!pieces 3 0 Which hall should I see first?",
    "!pieces 3 0 !markdown",
    "!pieces 3 0 !think !cite !image 这件展品有什么故事？",
)


def conversation(visitor: Visitor) -> str:
    """Asks fifteen questions; the path of the conversation."""
    for number in range(15):
        events = list(visitor.hear(f"{QUESTIONS[number % len(QUESTIONS)]} {number + 1}"))
        assert events[-1].name == "done", events[-1]
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
    return sorted(reports, key=lambda report: scores(report)["performance"])[RUNS // 2]


def scores(report: dict[str, Any]) -> dict[str, int]:
    """Points in each category, of a hundred."""
    if "runtimeError" in report:
        raise SystemExit(
            f"Lighthouse could not look at the page: {report['runtimeError']['message']}"
        )
    categories = report["categories"]
    return {name: round(100 * (category["score"] or 0)) for name, category in categories.items()}


def costs(report: dict[str, Any]) -> list[str]:
    """The audits that cost points, and where."""
    lines = []
    for name in scores(report):
        for reference in report["categories"][name]["auditRefs"]:
            audit = report["audits"][reference["id"]]
            if reference["weight"] and audit["score"] is not None and audit["score"] < 1:
                points = f"{audit['score']:.2f} of weight {reference['weight']}"
                value = audit.get("displayValue", "")
                lines.append(f"{name}: {reference['id']} ({points}) {value} {audit['title']}")
                lines += [f"    {place}" for place in _places(audit)]
    return lines


def _places(audit: dict[str, Any]) -> list[str]:
    items = audit.get("details", {}).get("items", [])
    return [
        json.dumps(item.get("node", {}).get("snippet") or item, ensure_ascii=False)[:200]
        for item in items[:4]
    ]


def main() -> int:
    for needed, cure in (
        (COMMAND, "npm ci"),
        (Path(CHROMIUM), "apt-get install chromium-headless-shell"),
    ):
        if not needed.exists() or not shutil.which("node"):
            print(f"Needs Node.js and {needed.name}: {cure}", file=sys.stderr)
            return 1
    reports = _reports(sys.argv[1:])
    print(f"{'':18}" + "".join(f"{name:>16}" for name in CATEGORIES))
    for name, report in reports.items():
        # Half of the usual speed: somebody else is at work on this machine.
        speed = report["environment"]["benchmarkIndex"]
        columns = "".join(f"{score:>16}" for score in scores(report).values())
        print(f"{name:18}{columns}    this machine's speed: {speed:.0f}")
    for name, report in reports.items():
        for line in costs(report):
            print(f"{name}: {line}")
    is_perfect = all(
        score == 100 for report in reports.values() for score in scores(report).values()
    )
    return 0 if is_perfect else 1


def _cookies(session: requests.Session) -> str:
    """What a browser sends of this session."""
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)


def _reports(wanted: list[str]) -> dict[str, dict[str, Any]]:
    """The report on each page at each size, by both their names; `wanted` are pages, else all."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(create_emulator(EmulatorSettings(pace_s=0, coze_qps=0))) as url,
    ):
        owner = {"ADMIN_PASSWORD": PASSWORD, "OWNER_READS": "on"}
        site = Site(Path(folder), {**many_agents(Path(folder), AGENTS, url), **owner})
        try:
            visitor = Visitor(site.start().url)
            path = conversation(visitor)
            made = visitor.post(f"{path}/share", headers={"Accept": "application/json"}).json()
            pages = {"home": "/", "conversation": path, "shared": made["url"]}
            of_visitor = _cookies(visitor.session)
            of_owner = _cookies(OwnerBrowser(site).sign_in().session)
            pages |= DESK
            return {
                f"{page} {size}": median(
                    site.url + pages[page],
                    of_owner if page in DESK else of_visitor,
                    options + OPTIONS.get(page, []),
                )
                for page in wanted or pages
                for size, options in PRESETS.items()
            }
        finally:
            site.end()


if __name__ == "__main__":
    sys.exit(main())
