"""The owner sees what the site was used for: today, and in days gone by."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
import requests

from chat.china import CHINA
from tests.kit.desk import OwnerBrowser
from tests.kit.emulator import Emulator, coze
from tests.kit.site import ServerEvent, Site, Visitor

PASSWORD = "correct horse battery"
KEY = "sk-museum-0123456789abcdef"
JSON = {"Accept": "application/json"}
ENGLISH = {"Accept": "text/html", "Accept-Language": "en"}


@pytest.fixture(scope="module")
def owner(emulator: Emulator, keep_site: Callable[..., Site]) -> OwnerBrowser:
    """Of a site where six questions were asked: four answered, one of them stopped, one failed, and
    one that is still being answered.
    """
    site = keep_site(
        **coze(emulator),
        ADMIN_PASSWORD=PASSWORD,
        ACCESS_CODES="school:a-code-of-the-school",
        API_KEYS=f"app:{KEY}",
        DAILY_LIMIT=50,
    )
    pupil, other = pupil_of(site), pupil_of(site)
    assert pupil.ask("你好").ok and pupil.ask("再问一次").ok
    assert other.ask("!expired").json()["code"] == "misconfigured"
    stop_one(other)
    headers = {"Authorization": f"Bearer {KEY}"}
    body = {"message": "hi"}
    assert requests.post(f"{site.url}/chat", json=body, headers=headers, timeout=30).ok
    pupil.conversation = None
    hear_words(pupil.hear("!endless"))
    return OwnerBrowser(site).sign_in(PASSWORD)


def pupil_of(site: Site) -> Visitor:
    pupil = Visitor(site.url)
    assert pupil.post("/sign-in", data={"code": "a-code-of-the-school"}).ok
    return pupil


def hear_words(events: Iterator[ServerEvent]) -> None:
    """Reads until the platform was certainly asked."""
    assert any(event.name == "delta" for event in events)


def stop_one(visitor: Visitor) -> None:
    visitor.conversation = None
    events = visitor.hear("!endless")
    hear_words(events)
    assert visitor.stop().status_code == 202
    with suppress(StopIteration):
        while next(events).name != "done":
            pass


def numbers(owner: OwnerBrowser, days: int = 7) -> dict[str, Any]:
    response = owner.get(f"/admin/usage?days={days}", headers=JSON)
    assert response.status_code == 200, response.text
    payload: dict[str, Any] = response.json()
    return payload


def test_the_day_has_what_was_asked_and_how_it_ended(owner: OwnerBrowser) -> None:
    today = datetime.now(CHINA).date().isoformat()
    day = numbers(owner)["days"][-1]
    tokens = day.pop("tokens")
    assert day == {"day": today, "questions": 6, "answers": 4, "failed": 1, "visitors": 3}
    assert tokens > 0


def test_the_agent_has_its_failures_by_reason(owner: OwnerBrowser) -> None:
    assert numbers(owner)["agents"] == [
        {"id": "coze", "questions": 6, "failed": 1, "codes": {"misconfigured": 1}}
    ]


def test_each_code_and_key_has_what_it_was_asked_by(owner: OwnerBrowser) -> None:
    accesses = {row.pop("access"): row for row in numbers(owner)["accesses"]}
    assert sum(row.pop("tokens") for row in accesses.values()) > 0
    assert accesses == {
        "code:school": {"questions": 5, "answers": 3, "failed": 1},
        "key:app": {"questions": 1, "answers": 1, "failed": 0},
    }


@pytest.mark.parametrize("days", [7, 30, 90])
def test_every_day_of_the_period_is_there(owner: OwnerBrowser, days: int) -> None:
    assert len(numbers(owner, days)["days"]) == days


@pytest.mark.parametrize("days", ["8", "0", "-7", "07", "x", "", "９", "9" * 999])
def test_another_period_is_refused(owner: OwnerBrowser, days: str) -> None:
    response = owner.get("/admin/usage", params={"days": days}, headers=JSON)
    assert response.status_code == 400 and response.json()["code"] == "bad_input"


def test_the_page_names_codes_and_keys_and_no_secret(owner: OwnerBrowser) -> None:
    page = owner.get("/admin/usage", headers=ENGLISH).text
    assert ">school</th>" in page and ">app (API key)</th>" in page
    assert "a-code-of-the-school" not in page and KEY not in page


def test_the_plots_are_said_for_who_does_not_see_them(owner: OwnerBrowser) -> None:
    page = owner.get("/admin/usage", headers=ENGLISH).text
    assert 'role="img" aria-label="Questions by day: 6 in all, most on ' in page
    assert page.count('<rect class="bar"') > 3
    assert "style=" not in page


def test_what_failed_stands_with_what_to_do(owner: OwnerBrowser) -> None:
    for path in ("/admin", "/admin/usage?days=30"):
        page = owner.get(path, headers=ENGLISH).text
        assert "Refused: check token, id and publication" in page
        assert "<code>misconfigured</code>" in page
        assert 'make a new one at <a href="https://www.coze.cn/open/oauth/pats"' in page


def test_today_says_what_is_being_answered_and_what_is_left(owner: OwnerBrowser) -> None:
    def facts() -> str:
        return " ".join(owner.get("/admin", headers=ENGLISH).text.split())

    assert re.search('<dt>Being answered</dt> <dd><span dir="auto">[^<]+</span> 1</dd>', facts())
    assert '6</td><td class="number">50</td><td class="number">44</td>' in facts()


def test_first_words_were_timed(owner: OwnerBrowser) -> None:
    page = owner.get("/admin", headers=ENGLISH).text
    assert "median; nine in ten within" in page


def test_a_program_that_is_not_the_owner_s_is_refused(owner: OwnerBrowser) -> None:
    response = requests.get(f"{owner.site.url}/admin/usage", headers=JSON, timeout=30)
    assert response.status_code == 401 and response.json()["code"] == "sign_in"
