"""The owner makes codes, each shown once, and ends them with the sessions of who came by them."""

import re
from collections.abc import Callable

import pytest

from tests.kit.desk import HTML, PASSWORD, OwnerBrowser
from tests.kit.emulator import Emulator, coze
from tests.kit.members import rows, sign_in
from tests.kit.site import Site, Visitor

ENGLISH = {**HTML, "Accept-Language": "en"}


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    codes = "server:code-of-the-server"
    return keep_site(**coze(emulator), ADMIN_PASSWORD=PASSWORD, ACCESS_CODES=codes)


@pytest.fixture(scope="module")
def owner(site: Site) -> OwnerBrowser:
    return OwnerBrowser(site).sign_in()


def make(owner: OwnerBrowser, name: str, **more: str) -> str:
    """A new code."""
    answer = owner.post("/admin/codes", data={"name": name, **more}, headers=ENGLISH)
    assert answer.status_code == 200, answer.text
    match = re.search(r"<code>([a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4})</code>", answer.text)
    assert match and "/sign-in" in answer.text and 'aria-label="QR code"' in answer.text
    return match[1]


def end(owner: OwnerBrowser, name: str, **more: str) -> int:
    return owner.post("/admin/codes/end", data={"name": name, **more}).status_code


def newest(owner: OwnerBrowser) -> int:
    """The number of the log's newest entry."""
    return max(map(int, re.findall(r'<td class="number">(\d+)', owner.get("/admin/log").text)))


def take_back(owner: OwnerBrowser, number: int) -> int:
    return owner.post(f"/admin/log/{number}/take-back").status_code


def test_a_code_opens_the_site_until_it_is_ended(site: Site, owner: OwnerBrowser) -> None:
    ann = Visitor(site.url)
    code = make(owner, "ann")
    assert sign_in(ann, code).status_code == 303
    assert ann.ask("hello").ok
    assert end(owner, "ann") == 303
    assert ann.ask("hello").status_code == 401
    assert sign_in(Visitor(site.url), code).status_code == 401


def test_ending_and_making_a_code_are_taken_back(site: Site, owner: OwnerBrowser) -> None:
    ann = Visitor(site.url)
    code = make(owner, "back")
    assert end(owner, "back") == 303
    made, ended = newest(owner) - 1, newest(owner)
    assert take_back(owner, made) == 409, "it has ended since"
    assert sign_in(ann, code).status_code == 401
    assert take_back(owner, ended) == 303
    assert sign_in(ann, code).status_code == 303
    assert take_back(owner, made) == 303
    assert ann.ask("hello").status_code == 401
    log = owner.get("/admin/log", headers=ENGLISH).text
    assert log.count("Access code created") >= 2 and log.count("Access code ended") >= 2


def test_a_code_is_shown_once_and_kept_as_a_hash(site: Site, owner: OwnerBrowser) -> None:
    code = make(owner, "once")
    pages = [owner.get(path, headers=ENGLISH).text for path in ("/admin/codes", "/admin/log")]
    kept = str(rows(site, "SELECT value FROM owner_values")) + str(
        rows(site, "SELECT facts, change FROM owner_log")
    )
    assert code not in "".join(pages) + site.log + kept
    assert "once" in pages[0] and "Access code once" in pages[1] and "scrypt" not in pages[1]


def test_a_code_has_its_questions_a_day_and_its_last_day(site: Site, owner: OwnerBrowser) -> None:
    visitor = Visitor(site.url)
    sign_in(visitor, make(owner, "poor", daily="1", last_day="2899-12-31"))
    assert visitor.ask("one").ok
    assert visitor.ask("two").json()["code"] == "quota_exhausted"
    assert sign_in(Visitor(site.url), make(owner, "old", last_day="2020-01-01")).status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "a,b:smuggled-code"},
        {"name": "a：b"},
        {"name": "x" * 41},
        {"name": "server"},
        {"name": "new", "last_day": "tomorrow"},
        {"name": "new", "last_day": "2027-02-31"},
        {"name": "new", "daily": "0"},
        {"name": "new", "daily": "1,evil:smuggled-code"},
    ],
)
def test_what_is_wrong_is_said_and_no_code_is_made(
    owner: OwnerBrowser, wrong: dict[str, str]
) -> None:
    answer = owner.post("/admin/codes", data=wrong, headers=ENGLISH)
    assert answer.status_code == 400 and 'role="alert"' in answer.text
    assert "smuggled" not in owner.get("/admin/codes").text


def test_a_code_of_the_server_cannot_be_ended_here(site: Site, owner: OwnerBrowser) -> None:
    page = owner.get("/admin/codes", headers=ENGLISH).text
    assert "Set on the server" in page
    assert end(owner, "server") == 409
    assert sign_in(Visitor(site.url), "code-of-the-server").status_code == 303


def test_the_last_code_is_ended_only_by_who_wants_the_site_open(
    start_site: Callable[..., Site], emulator: Emulator
) -> None:
    site = start_site(**coze(emulator), ADMIN_PASSWORD=PASSWORD)
    owner = OwnerBrowser(site).sign_in()
    assert Visitor(site.url).ask("hello").ok
    make(owner, "only")
    assert Visitor(site.url).ask("hello").status_code == 401
    assert end(owner, "only") == 409
    assert Visitor(site.url).ask("hello").status_code == 401
    assert end(owner, "only", open="yes") == 303
    assert Visitor(site.url).ask("hello").ok
