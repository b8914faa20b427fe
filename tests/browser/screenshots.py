"""Pictures of every state of the page, on a phone, a tablet and a desk: `make screenshots`."""

import html
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from emulator import EmulatorSettings, create_emulator
from emulator.serving import serve
from tests.browser.states import DESK_STATES, STATES, State
from tests.kit.browsing import CHROMIUM, DEVICES, Person
from tests.kit.desk import PASSWORD
from tests.kit.site import ROOT, Site

FOLDER = ROOT / "screenshots"
SCHEMES = ("light", "dark")
LANGUAGES = {"zh": "zh-CN", "en": "en-US"}
EVERY_STATE = (("phone", "light", "zh"), ("desk", "dark", "zh"))
STYLE = """
body { font: 14px sans-serif }
div { display: flex; flex-wrap: wrap; gap: 1em }
figure { margin: 0 }
img { height: 22em }
"""
# On each device, in each scheme and language.
IN_EVERY_WAY = ("welcome", "answered")


@dataclass(frozen=True)
class Shot:
    """A state as somebody sees it."""

    state: State
    device: str
    scheme: str
    language: str

    @property
    def name(self) -> str:
        return (
            f"{self.state.name.replace(' ', '-')}-{self.device}-{self.scheme}-{self.language}.png"
        )


def shots() -> Iterator[Shot]:
    """All of them, state by state."""
    for state in (*STATES, *DESK_STATES):
        for way in product(DEVICES, SCHEMES, LANGUAGES):
            is_wanted = state.name in IN_EVERY_WAY or way in EVERY_STATE
            if is_wanted and not (state.is_for_phones and way[0] != "phone"):
                yield Shot(state, *way)


def take(shot: Shot, browser: Browser, site: Site) -> list[str]:
    """Takes one picture; whatever the page did wrong meanwhile."""
    context = browser.new_context(
        **DEVICES[shot.device],
        color_scheme=shot.scheme,  # type: ignore[arg-type]
        locale=LANGUAGES[shot.language],
        java_script_enabled=shot.state.has_script,
        reduced_motion="reduce",
    )
    context.set_default_timeout(15_000)
    person = Person(site, context)
    try:
        page = person.open()
        shot.state.reach(page)
        # The last frame.
        page.wait_for_timeout(150)
        page.screenshot(path=FOLDER / shot.name)
    finally:
        context.close()
    return person.faults


def contact_sheet(taken: list[Shot]) -> str:
    """A page that shows all pictures, a row for each state."""
    rows = []
    for state in (*STATES, *DESK_STATES):
        figures = [
            f'<figure><a href="{shot.name}"><img src="{shot.name}" alt="" loading="lazy"></a>'
            f"<figcaption>{shot.device}, {shot.scheme}, {shot.language}</figcaption></figure>"
            for shot in taken
            if shot.state is state
        ]
        rows.append(f"<h2>{html.escape(state.name)}</h2><div>{''.join(figures)}</div>")
    head = f'<meta charset="utf-8"><title>智页</title><style>{STYLE}</style>'
    return f"<!doctype html>{head}{''.join(rows)}"


def main() -> int:
    if not Path(CHROMIUM).exists():
        print(
            f"Needs {CHROMIUM}: apt-get install chromium-headless-shell fonts-noto-cjk",
            file=sys.stderr,
        )
        return 1
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    began, taken, wrong = time.monotonic(), [], []
    platforms = create_emulator(EmulatorSettings(pace_s=0.2))
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(platforms) as address,
        sync_playwright() as playwright,
    ):
        settings = {"GRACE_S": 0, "ADMIN_PASSWORD": PASSWORD, "OWNER_READS": "on"}
        site = Site(Path(folder), {"DEMO_URL": address, **settings})
        try:
            site.start()
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            for shot in shots():
                wrong += [f"{shot.name}: {fault}" for fault in take(shot, browser, site)]
                taken.append(shot)
            browser.close()
        finally:
            site.end()
    (FOLDER / "index.html").write_text(contact_sheet(taken), encoding="utf-8")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(taken)} pictures in {time.monotonic() - began:.0f} s: screenshots/index.html")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
