"""The owner changes what the whole site is like; what is wrong is said beside its field."""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

import pytest
import requests

from emulator.picture import png
from tests.kit.desk import HTML, PASSWORD, OwnerBrowser
from tests.kit.emulator import Emulator, coze
from tests.kit.robots import KEY, Robots, robots
from tests.kit.site import Site, Visitor, text

PICTURE = png()
EVIL = '<img src=x onerror="alert(1)">'
ENGLISH = {**HTML, "Accept-Language": "en"}


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """Its footer is set on the server."""
    return keep_site(**coze(emulator), ADMIN_PASSWORD=PASSWORD, SITE_FOOTER="from .env")


@pytest.fixture(scope="module")
def group() -> Iterator[Robots]:
    with robots() as group:
        yield group


@pytest.fixture(scope="module")
def owner(site: Site) -> OwnerBrowser:
    return OwnerBrowser(site).sign_in()


def test_what_nobody_types_is_stored_nowhere(owner: OwnerBrowser) -> None:
    for path, field in (("site", "site_title"), ("codes", "name"), ("blocked", "who")):
        assert owner.post(f"/admin/{path}", data={field: "a\0b"}).status_code == 400
    assert "a\0b" not in owner.get("/admin/log").text


class Form(HTMLParser):
    """What a browser would send of the page's first form with a file, as it stands."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._long, self._is_in = "", False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self._is_in = self._is_in or given.get("enctype") == "multipart/form-data"
        name, kind = given.get("name") or "", given.get("type")
        if not self._is_in or "disabled" in given:
            return
        if tag == "textarea":
            self._long, self.fields[name] = name, ""
        elif tag == "input" and (kind not in ("checkbox", "file") or "checked" in given):
            self.fields[name] = given.get("value") or ""

    def handle_data(self, data: str) -> None:
        if self._long:
            # The first line break of a text area belongs to the markup.
            self.fields[self._long] = data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        self._long = "" if tag == "textarea" else self._long
        self._is_in = self._is_in and tag != "form"


def form(owner: OwnerBrowser) -> dict[str, str]:
    return Form(owner.get("/admin/site", headers=ENGLISH).text).fields


def save(
    owner: OwnerBrowser, fields: dict[str, str] | None = None, **changes: str
) -> requests.Response:
    """Saves the form as it stands now, or stood then, with these changes."""
    fields = {**(fields or form(owner)), **changes}
    files = {name: (None, value) for name, value in fields.items()}
    return owner.post("/admin/site", files=files, headers=ENGLISH)


def entries(owner: OwnerBrowser) -> int:
    """The number of the newest entry of the log."""
    numbers = re.findall(r'<td class="number">(\d+)', owner.get("/admin/log").text)
    return max(map(int, numbers), default=0)


def test_a_form_that_is_saved_as_it_stands_changes_nothing(owner: OwnerBrowser) -> None:
    before = entries(owner)
    assert save(owner).status_code == 303
    assert entries(owner) == before


def test_a_change_holds_at_once_and_is_one_entry_of_the_log(
    site: Site, owner: OwnerBrowser
) -> None:
    before = entries(owner)
    assert save(owner, site_title=EVIL).status_code == 303
    page = Visitor(site.url).get("/").text
    assert EVIL not in page and "&lt;img src=x" in page
    assert entries(owner) == before + 1
    owner.post(f"/admin/log/{before + 1}/take-back")
    assert "&lt;img" not in Visitor(site.url).get("/").text


@pytest.mark.parametrize(
    "name, value, reason",
    [
        ("site_title", "长" * 10_000, "60"),
        ("accent_color", "schwarz-rot", "hexadecimal"),
        ("notice_until", "2027-13-01", "2027-01-31"),
        ("keep_days", "0.5", ""),
        ("daily_limit", "-3", ""),
        ("daily_limit", "1" * 400, ""),
        ("notify_url", "ftp://example.com/x", "https://"),
        ("banned_words", "赌博\nC++", "C++"),
        ("default_language", "klingon", ""),
    ],
)
def test_a_wrong_value_is_told_beside_its_field_and_nothing_is_saved(
    owner: OwnerBrowser, name: str, value: str, reason: str
) -> None:
    before = entries(owner)
    answer = save(owner, icp_number="京ICP备1号", **{name: value})
    assert answer.status_code == 400
    wrong = re.search(f'<p id="{name}-wrong" class="wrong">([^<]+)</p>', answer.text)
    assert wrong and reason in wrong[1]
    assert (
        f'aria-describedby="{name}-help {name}-wrong' in answer.text or name in "default_language"
    )
    assert "京ICP备1号" in answer.text, "what was typed is still there"
    assert entries(owner) == before


def test_a_stale_form_overwrites_nothing_and_keeps_what_was_typed(
    site: Site, owner: OwnerBrowser
) -> None:
    old = form(owner)
    save(owner, icp_number="first")
    answer = save(owner, old, icp_number="second")
    assert answer.status_code == 409
    assert 'value="second"' in answer.text and "It is now: first" in answer.text
    assert "first" in Visitor(site.url).get("/").text
    assert save(owner, Form(answer.text).fields).status_code == 303
    assert "second" in Visitor(site.url).get("/").text


def test_another_field_that_was_changed_meanwhile_is_left_alone(owner: OwnerBrowser) -> None:
    old = form(owner)
    save(owner, ai_label="label")
    assert save(owner, old, site_notice="notice").status_code == 303
    assert form(owner)["ai_label"] == "label"


def test_what_the_server_sets_is_locked_and_says_so(site: Site, owner: OwnerBrowser) -> None:
    page = owner.get("/admin/site", headers=ENGLISH).text
    assert "SITE_FOOTER is set on the server" in page
    forged = {**form(owner), "version-site_footer": "0"}
    assert save(owner, forged, site_footer="forged").status_code == 303
    assert "forged" not in Visitor(site.url).get("/").text


def test_a_notice_ends_after_its_last_day(site: Site, owner: OwnerBrowser) -> None:
    save(owner, site_notice="closed on Monday", notice_until="2999/1/31")
    assert "closed on Monday" in Visitor(site.url).get("/").text
    save(owner, notice_until="2020年1月31日")
    assert "closed on Monday" not in Visitor(site.url).get("/").text


def test_a_logo_is_taken_and_what_is_none_is_refused(site: Site, owner: OwnerBrowser) -> None:
    fields = {name: (None, value) for name, value in form(owner).items()}

    def send(data: bytes) -> requests.Response:
        files = {**fields, "site_logo": ("logo.png", data)}
        return owner.post("/admin/site", files=files, headers=ENGLISH)

    for data, reason in ((b"GIF89a nothing", "not a PNG"), (PICTURE + bytes(300_000), "too large")):
        answer = send(data)
        assert answer.status_code == 400 and reason in answer.text
    assert send(PICTURE).status_code == 303
    assert "logo" in Visitor(site.url).get("/").text
    assert 'name="remove-site_logo"' in owner.get("/admin/site").text


def test_banned_words_are_refused_in_questions_and_masked_in_answers(
    site: Site, owner: OwnerBrowser
) -> None:
    assert save(owner, banned_words="博彩\nlantern").status_code == 303
    alice = Visitor(site.url)
    refused = alice.ask("哪里有博 彩？")
    assert refused.status_code == 400 and refused.json()["code"] == "bad_input"
    # A word of the emulator's own, not of the question.
    save(owner, banned_words="博彩\n粗体")
    events = list(alice.hear("!markdown"))
    assert "一段**＊＊**、" in text(events)
    stored = alice.get(f"/c/{alice.conversation}").text
    assert "粗体" not in stored and "＊＊" in stored
    page = owner.get("/admin/site", headers=ENGLISH).text
    assert "Questions refused today: 1; answers with masked words: 1" in page
    save(owner, banned_words="")
    assert alice.ask("哪里有博 彩？").ok


def test_a_robot_is_tested_and_its_address_is_on_no_page(
    site: Site, owner: OwnerBrowser, group: Robots
) -> None:
    assert save(owner, notify_url=f"{group.wecom}\n{group.url}/instead/error").status_code == 303
    answer = owner.post("/admin/site/test", headers=ENGLISH)
    assert "the WeCom robot: The test has arrived." in answer.text
    assert "it answered HTTP 500" in answer.text
    assert len(group.texts) == 1 and "测试" in group.texts[0]
    pages = [answer.text, *(owner.get(f"/admin/{path}").text for path in ("site", "log"))]
    assert KEY not in "".join(pages) + site.log
    assert save(owner).status_code == 303, "an empty field leaves the robots"
    assert save(owner, **{"remove-notify_url": "yes"}).status_code == 303
    assert "Told now" not in owner.get("/admin/site", headers=ENGLISH).text


def test_whoever_reads_is_announced_to_visitors(site: Site, owner: OwnerBrowser) -> None:
    sentence = "owner may read this"
    assert sentence not in Visitor(site.url).get("/?lang=en").text
    assert save(owner, owner_reads="on").status_code == 303
    assert sentence in Visitor(site.url).get("/?lang=en").text
    off = {name: value for name, value in form(owner).items() if name != "owner_reads"}
    assert save(owner, off).status_code == 303
    assert sentence not in Visitor(site.url).get("/?lang=en").text
