"""The agents of a site: looked through, searched in, passed on."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, Visitor

HTML = {"Accept": "text/html"}
AGENTS = "".join(
    f"""
[[agents]]
id = "a{number}"
platform = "coze"
name = "{name}"
group = "{group}"
"""
    for number, (name, group) in enumerate(
        [
            ("Alpha", ""),
            ("Beta", "Work"),
            ("<b>Gamma</b>", "Study"),
            ("Delta", "Work"),
            ("Epsilon", "Study"),
        ]
    )
)


@pytest.fixture(scope="module")
def gallery(
    emulator: Emulator,
    keep_site: Callable[..., Site],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Visitor]:
    folder: Path = tmp_path_factory.mktemp("gallery")
    (folder / "agents.toml").write_text(AGENTS, encoding="utf-8")
    yield Visitor(keep_site(folder=folder, **coze(emulator), AGENTS_FILE="agents.toml").url)


def names(page: str) -> list[str]:
    main = page.partition('<main id="main"')[2]
    return re.findall(r'<span class="block truncate font-medium" dir="auto">(.*?)</span>', main)


def test_with_many_agents_the_start_page_shows_all_under_their_headings(gallery: Visitor) -> None:
    page = gallery.get("/", headers=HTML).text
    assert len(names(page)) == 6
    headings = re.findall(r'<h2 class="shelf"[^>]*>(.*?)</h2>', page)
    assert headings[1:] == ["Work", "Study"]
    assert "<b>Gamma" not in page and "&lt;b&gt;Gamma" in page


def test_agents_are_found_by_name_and_by_heading(gallery: Visitor) -> None:
    assert names(gallery.get("/agents?q=study+EPS").text) == ["Epsilon"]
    assert names(gallery.get("/agents?q=work").text) == ["Beta", "Delta"]
    nothing = gallery.get("/agents", params={"q": "<script>"})
    assert names(nothing.text) == [] and "<script>" not in nothing.text.partition("<main")[2]


def test_an_agent_has_a_link_and_a_qr_code_to_pass_on(gallery: Visitor) -> None:
    page = gallery.get("/agents/a1").text
    assert f'value="{gallery.url}/?agent=a1"' in page and 'class="qr"' in page
    assert "Beta" in names_of_header(gallery.get("/?agent=a1").text)
    assert gallery.get("/agents/nobody").status_code == 404


def names_of_header(page: str) -> list[str]:
    return re.findall(r"<h1[^>]*>(.*?)</h1>", page)


def test_what_is_missing_is_said_in_the_frame_of_the_site(gallery: Visitor) -> None:
    missing = gallery.get("/c/nothing", headers=HTML)
    assert missing.status_code == 404
    assert 'class="sidebar"' in missing.text and missing.headers["Cache-Control"] == "no-store"
