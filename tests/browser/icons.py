"""Makes the PNG icons of static/ from icon.svg, by Chromium: `python -m tests.browser.icons`."""

from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.kit.browsing import CHROMIUM

STATIC = Path(__file__).resolve().parents[2] / "static"
# Phones cut maskable icons to a circle of 80 %, iOS rounds corners itself: both want a full ground.
ICONS = {
    "icon-180": (180, 0.78),
    "icon-192": (192, 1.0),
    "icon-512": (512, 1.0),
    "icon-maskable": (512, 0.7),
}
PAGE = """
<body style="margin:0;height:{size}px;display:grid;place-items:center;background:{ground}">
<div style="width:{inner}px;height:{inner}px">{svg}</div>"""


def main() -> None:
    svg = (STATIC / "icon.svg").read_text(encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, (size, share) in ICONS.items():
            page = browser.new_page(viewport={"width": size, "height": size})
            ground = "transparent" if share == 1 else "#0f6b62"
            page.set_content(
                PAGE.format(size=size, inner=round(size * share), ground=ground, svg=svg)
            )
            page.screenshot(path=STATIC / f"{name}.png", omit_background=True)


if __name__ == "__main__":
    main()
