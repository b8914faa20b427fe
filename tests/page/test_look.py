"""The owner's look: colours that can be read whatever was asked, texts, a logo, the home screen."""

import base64
import gzip
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import brotli
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from chat.page import look
from chat.settings.errors import SettingsError
from chat.settings.model import Settings, load
from tests.kit.emulator import Emulator, coze
from tests.kit.site import ROOT, Site

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
CHANNEL = st.integers(0, 255)
OUR_LIGHT = {"accent": "#0f6b62", "on-accent": "#ffffff", "tint": "#e3f0ed"}


@given(st.tuples(CHANNEL, CHANNEL, CHANNEL), st.sampled_from([look.LIGHT, look.DARK]))
def test_every_accent_can_be_read_on_everything(accent: look.Colour, theme: look.Theme) -> None:
    made = look.palette(accent, theme)
    assert look.contrast(theme.soft, made["tint"]) >= look.READABLE
    for ground in (theme.paper, theme.sheet, made["tint"], made["on-accent"]):
        assert look.contrast(made["accent"], ground) >= look.READABLE


def test_an_accent_that_can_be_read_stays_as_it_is() -> None:
    assert look.palette(look.parse("#8a2f6b"), look.LIGHT)["accent"] == look.parse("#8a2f6b")


def test_contrast_is_that_of_wcag() -> None:
    assert round(look.contrast(look.WHITE, look.BLACK), 2) == 21
    assert round(look.contrast(look.parse("#767676"), look.WHITE), 2) == 4.54


def test_the_grounds_are_those_of_the_style_sheet() -> None:
    tokens = Path("static/css/parts/tokens.css").read_text()
    for theme, name in ((look.LIGHT, "light"), (look.DARK, "dark")):
        block = tokens.partition(f"color-scheme: {name};")[2].partition("}")[0]
        assert f"--paper: #{bytes(theme.paper).hex()};" in block
        assert f"--sheet: #{bytes(theme.sheet).hex()};" in block
        assert f"--soft: #{bytes(theme.soft).hex()};" in block


def test_what_is_written_into_has_an_edge_that_is_seen() -> None:
    tokens = Path("static/css/parts/tokens.css").read_text()
    for name in ("light", "dark"):
        block = tokens.partition(f"color-scheme: {name};")[2].partition("}")[0]
        colours = {
            key: look.parse(f"#{value}") for key, value in re.findall(r"--(\w+): #(\w{6});", block)
        }
        for ground in ("paper", "sheet", "shade"):
            assert look.contrast(colours["edge"], colours[ground]) >= 3, (name, ground)
    sheet = Path("static/css/page.css").read_text()
    for selector in (".writer", ".field", ".search input"):
        assert f"\n{selector} {{" in sheet
        assert (
            "1px solid var(--edge)" in sheet.partition(f"\n{selector} {{")[2].partition("}")[0]
        ), selector


def test_old_browsers_are_told_heights_and_pictures_that_they_understand() -> None:
    sheet = Path("static/css/page.css").read_text()
    understood = re.sub(r"@supports \(height: 100dvh\) \{.*?\n\}", "", sheet, flags=re.DOTALL)
    assert "dvh" in sheet and "dvh" not in understood
    rules = re.findall(r"([^{}]+) \{", sheet)
    assert not [one for one in rules if ":has(" in one and re.search(r",(?![^(]*\))", one)], (
        "lost as a whole"
    )


# What Chrome 80 and Safari 13.1 do not know, and would drop a rule or more for.
TOO_NEW_STYLES = (
    r"@(layer|property|container|scope)\b",
    r":(is|where)\(",
    r"\b(inset|aspect-ratio|(padding|margin)-(inline|block)):",
    r"\b(oklch|oklab|lab|lch|light-dark|color-mix)\(",
    r"^\s*&",
)
# Private members, static blocks, and assignments that depend.
TOO_NEW_SCRIPTS = r"this\.#|\bstatic\{|(\?\?|\|\||&&)=|\.(at\(-|replaceChildren\(|findLast)"


@pytest.mark.parametrize("name", ["page", "rest", "desk", "older"])
@pytest.mark.parametrize("feature", TOO_NEW_STYLES)
def test_style_sheets_hold_nothing_that_browsers_of_2020_do_not_know(
    feature: str, name: str
) -> None:
    sheet = Path(f"static/css/{name}.css").read_text()
    # What comes after a condition is read like the rest: a colour that stands in for one unknown
    # to a browser once hid the text on it.
    sheet = re.sub(r"@supports .*\{", "", sheet)
    assert not re.search(feature, sheet, re.MULTILINE)


def test_scripts_hold_nothing_that_browsers_of_2020_cannot_parse() -> None:
    for path in Path("static/compiled").glob("*.js"):
        assert not re.search(TOO_NEW_SCRIPTS, path.read_text()), path.name
    older = re.search(r'"(\.\./css/[\w.]+)"', Path("static/compiled/site.js").read_text())
    assert older and (Path("static/compiled") / older[1]).exists()


@pytest.mark.parametrize("data", [b"GIF89a", b"<!doctype html><svg>", b"", b"\x89PNG"])
def test_what_is_no_picture_is_no_logo(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "logo").write_bytes(data)
    with pytest.raises(SettingsError, match="SITE_LOGO"):
        look.load(Settings(site_logo=tmp_path / "logo"))


def test_a_logo_has_to_be_there_and_small(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SITE_LOGO"):
        look.load(Settings(site_logo=tmp_path / "none"))
    (tmp_path / "large").write_bytes(PNG + b"x" * look.LARGEST_LOGO)
    with pytest.raises(SettingsError, match="200 kB"):
        look.load(Settings(site_logo=tmp_path / "large"))


@pytest.mark.parametrize(
    "setting", [("ACCENT_COLOR", "no colour"), ("TIME_ZONE", "Moon/Base"), ("ICP_NUMBER", "x" * 99)]
)
def test_nonsense_is_refused(
    setting: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(*setting)
    with pytest.raises(SettingsError, match=setting[0]):
        load()


@pytest.fixture(scope="module")
def dressed(
    keep_site: Callable[..., Site], emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Site:
    """A site with everything that an owner can set."""
    logo = tmp_path_factory.mktemp("logo") / "logo.svg"
    logo.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><script>alert(1)</script></svg>'
    )
    return keep_site(
        **coze(emulator),
        SITE_TITLE="博物馆",
        ACCENT_COLOR="#ffd000",
        SITE_LOGO=logo,
        SITE_NOTICE="Ask about <the collection>",
        SITE_FOOTER="© the museum",
        ICP_NUMBER="京ICP备12345678号-1",
        AI_LABEL="made by a machine",
    )


def test_the_owner_s_words_are_on_the_page(dressed: Site) -> None:
    page = requests.get(dressed.url, timeout=10).text
    for text in ("博物馆", "Ask about &lt;the collection&gt;", "© the museum", "made by a machine"):
        assert text in page
    assert 'href="https://beian.miit.gov.cn/"' in page and "京ICP备12345678号-1" in page


def test_generated_content_is_labelled_unless_the_owner_says_off(
    site: Site, start_site: Callable[..., Site], emulator: Emulator
) -> None:
    assert "内容由 AI 生成" in requests.get(site.url, timeout=10).text
    silent = start_site(**coze(emulator), AI_LABEL="off")
    page = requests.get(silent.url, timeout=10).text
    assert "内容由 AI 生成" not in page and ">off<" not in page


def test_the_accent_is_in_the_style_sheet_of_its_own_address(dressed: Site, site: Site) -> None:
    def sheet(of: Site) -> str:
        page = requests.get(of.url, timeout=10).text
        return page.partition('rel="stylesheet" href="')[2].partition('"')[0]

    assert sheet(dressed) != sheet(site)
    served = requests.get(dressed.url + sheet(dressed), timeout=10)
    assert served.text.endswith(look.accent_css("#ffd000"))


def test_a_logo_is_served_as_what_it_is_and_cannot_run(dressed: Site) -> None:
    page = requests.get(dressed.url, timeout=10).text
    address = page.partition('<link rel="icon" href="')[2].partition('"')[0]
    served = requests.get(dressed.url + address, timeout=10)
    assert served.headers["Content-Type"] == "image/svg+xml"
    assert "script-src" not in served.headers["Content-Security-Policy"]
    assert "sandbox" in served.headers["Content-Security-Policy"]


def test_the_site_can_be_put_on_a_home_screen(dressed: Site, site: Site) -> None:
    for one, title in ((dressed, "博物馆"), (site, "智页")):
        manifest = requests.get(f"{one.url}/manifest.webmanifest", timeout=10)
        assert manifest.headers["Content-Type"] == "application/manifest+json"
        assert manifest.json()["name"] == title
        for icon in manifest.json()["icons"]:
            served = requests.get(one.url + icon["src"], timeout=10)
            assert served.ok and served.headers["Content-Type"] == icon["type"]


# static files


def test_static_files_are_compressed_ahead_and_kept_for_ever(site: Site) -> None:
    address = f"{site.url}/static/any/css/page.css"
    plain = requests.get(address, timeout=10, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    for encoding, unpack in (("gzip", gzip.decompress), ("br", brotli.decompress)):
        served = requests.get(
            address, timeout=10, headers={"Accept-Encoding": encoding}, stream=True
        )
        assert served.headers["Content-Encoding"] == encoding
        assert served.headers["Vary"] == "Accept-Encoding"
        assert "immutable" in served.headers["Cache-Control"]
        assert unpack(served.raw.read()) == plain.content
        known = {"Accept-Encoding": encoding, "If-None-Match": served.headers["ETag"]}
        assert requests.get(address, timeout=10, headers=known).status_code == 304


def test_scripts_are_small(site: Site) -> None:
    def weight(names: Iterable[str]) -> int:
        answers = [
            requests.get(f"{site.url}/static/any/compiled/{name}", timeout=10) for name in names
        ]
        return sum(len(brotli.compress(answer.content, quality=11)) for answer in answers)

    page = requests.get(site.url, timeout=10).text
    first = re.findall(r'<script [^>]*src="[^"]*/compiled/([\w.-]+)"', page)
    assert first and weight(first) <= 10_000
    # All that a visit can come to. The puzzles are those of the page where one signs in.
    every = {path.name for path in Path("static/compiled").glob("*.js")}
    assert weight(every - {"puzzle.js", "puzzle-worker.js"}) <= 21_200


# What browsers accept over plain http, and those of today over TLS; so many bytes with all heads.
@pytest.mark.parametrize(
    ("accepted", "most"), [("gzip, deflate", 29_200), ("gzip, deflate, br, zstd", 27_000)]
)
def test_a_first_visit_is_small(site: Site, accepted: str, most: int) -> None:
    def fetch(path: str) -> tuple[requests.Response, int]:
        address = f"{site.url}{path}"
        response = requests.get(
            address, headers={"Accept-Encoding": accepted}, timeout=10, stream=True
        )
        heads = sum(len(name) + len(value) + 4 for name, value in response.headers.items())
        return response, heads + int(response.headers["Content-Length"])

    page, weight = fetch("/")
    parts = set(re.findall(r'(?:stylesheet" href|<script [^>]*src|<img src)="([^"]+)"', page.text))
    assert len(parts) <= 5
    assert weight + sum(fetch(unescape(part))[1] for part in parts) <= most


def test_a_page_is_sent_without_the_indentation_of_its_templates(site: Site) -> None:
    page = requests.get(site.url, timeout=10).text
    assert "<nav" in page and not re.search(r"\n[ \t]", page)


@pytest.mark.parametrize("name", ["page.css", "rest.css", "desk.css"])
def test_old_browsers_drop_no_rule_that_they_could_follow(name: str) -> None:
    styles = (ROOT / "static" / "css" / name).read_text(encoding="utf-8")
    assert not re.search(r"@(layer|property|container|scope)\b|[{;]\s*&", styles)
    newer = r"::backdrop|::file-selector|::details-content|:focus-visible|:has\(|:is\(|:where\("
    preludes = re.findall(r"([^{}]+)\{", styles)
    # A browser that does not know one selector of a list drops the whole rule.
    lists = [prelude.strip() for prelude in preludes if re.search(newer, prelude)]
    assert lists and [prelude for prelude in lists if "," in prelude] == []
    assert [prelude for prelude in preludes if re.search(r":not\([^()]*[ ,>~+]", prelude)] == []


@pytest.mark.parametrize(
    "name",
    [
        "css/app.css",
        "css/first.css",
        "css/parts/tokens.css",
        "../app.py",
        "%2e%2e/app.py",
        "js",
        "",
        "logo",
        "/etc/passwd",
    ],
)
def test_nothing_else_is_served(site: Site, name: str) -> None:
    assert requests.get(f"{site.url}/static/any/{name}", timeout=10).status_code == 404


# days


def test_days_have_names(site: Site) -> None:
    from flask import Flask
    from flask_babel import Babel, force_locale

    from chat.web.frame import dates

    app = Flask(__name__)
    Babel(app, default_timezone="Asia/Shanghai")
    at = datetime.now(UTC)
    with app.test_request_context():
        for locale, names in (("en", ("Today", "Yesterday")), ("zh", ("Today", "Yesterday"))):
            with force_locale(locale):
                assert (dates.day(at), dates.day(at - timedelta(days=1))) == names
                assert dates.day(at - timedelta(days=3)) not in names
        with force_locale("zh"):
            assert dates.day(datetime(2020, 3, 4, 20, tzinfo=UTC)) == "2020年3月5日", (
                "it is tomorrow in China"
            )
        with force_locale("en"):
            assert dates.day(datetime(2020, 3, 4, tzinfo=UTC)) == "Mar 4, 2020"
            assert dates.number(1234.5) == "1,234.5"
