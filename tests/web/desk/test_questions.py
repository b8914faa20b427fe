"""The owner reads questions and answers where visitors are told so, and takes them along."""

import csv
import io
import json
import re
from collections.abc import Callable

import pytest
import requests

from tests.kit.desk import OwnerBrowser
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, Visitor

PASSWORD = "brass lantern over the quay"
HOSTILE = "<script>alert(1)</script> <img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def reading(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """A site whose owner reads."""
    return keep_site(**coze(emulator), OWNER_READS="on", ADMIN_PASSWORD=PASSWORD, VISITOR_RATE=0)


@pytest.fixture(scope="module")
def owner(reading: Site) -> OwnerBrowser:
    browser = OwnerBrowser(reading).sign_in(PASSWORD)
    browser.session.headers["Accept-Language"] = "en"
    return browser


@pytest.fixture
def alice(reading: Site) -> Visitor:
    return Visitor(reading.url)


def asked(visitor: Visitor, question: str) -> str:
    assert visitor.ask(question).ok
    assert visitor.message is not None
    return visitor.message


def listed(page: requests.Response) -> list[str]:
    """The answers on a list, by their ids."""
    assert page.status_code == 200, page.text
    return re.findall(r'href="/admin/questions/(\w+)#', page.text)


def table(owner: OwnerBrowser, query: str) -> list[dict[str, str]]:
    response = owner.get(f"/admin/questions?format=csv&{query}")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in response.headers["Content-Disposition"]
    text = response.content.decode("utf-8-sig")
    assert response.content.startswith(b"\xef\xbb\xbf"), "Excel knows UTF-8 by it"
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_questions_are_found_by_all_filters_together(owner: OwnerBrowser, alice: Visitor) -> None:
    failed = asked_and_failed(alice, "whale !http 500")
    alice.conversation = None
    done = asked(alice, "whale and more")
    alice.post(f"/chat/{done}/feedback", json={"rating": "down", "reason": "too short"})
    assert listed(owner.get("/admin/questions?q=whale")) == [done, failed]
    assert listed(owner.get("/admin/questions?q=whale&state=failed")) == [failed]
    assert listed(owner.get("/admin/questions?q=whale&rating=down&agent=coze")) == [done]
    for none in ("day=2001-01-01", "agent=yuanqi", "code=code:museum", "rating=up", "before=1"):
        assert listed(owner.get(f"/admin/questions?q=whale&{none}")) == [], none


def test_a_list_shows_an_answer_as_it_is_read(owner: OwnerBrowser, alice: Visitor) -> None:
    asked(alice, "!pieces 1 0 **otter** and `code`")
    page = owner.get("/admin/questions?q=otter").text
    [excerpt] = re.findall(r'<p dir="auto" class="text-soft[^>]*>([^<]*)</p>', page)
    assert "otter and code" in excerpt and "*" not in excerpt


def asked_and_failed(visitor: Visitor, question: str) -> str:
    list(visitor.hear(question))
    assert visitor.message is not None
    return visitor.message


@pytest.mark.parametrize(
    "query",
    ["state=gone", "rating=sideways", "day=tomorrow", "day=9999-12-31", "before=x", "format=xml"],
)
def test_what_is_no_filter_is_refused(owner: OwnerBrowser, query: str) -> None:
    assert owner.get(f"/admin/questions?{query}").status_code == 400


def test_a_conversation_shows_what_was_said_and_how_it_came_and_no_markup(
    owner: OwnerBrowser, alice: Visitor
) -> None:
    message = asked(alice, HOSTILE)
    alice.post(f"/chat/{message}/feedback", json={"rating": "down", "reason": HOSTILE})
    for path in (f"/admin/questions/{message}", "/admin/questions?q=alert", "/admin/thumbs"):
        page = owner.get(path).text
        assert "&lt;script&gt;alert(1)" in page, path
        assert "<script>alert" not in page and "<img src=x" not in page, path
    page = owner.get(f"/admin/questions/{message}").text
    assert "Timeline of events" in page and "<td>text</td>" in page
    assert "The platform's log id" in page
    assert "data-rate" not in page and "<chat-composer" not in page


def test_no_cell_of_a_table_is_a_formula(owner: OwnerBrowser, alice: Visitor) -> None:
    message = asked(alice, "=1+1, formula")
    alice.post(f"/chat/{message}/feedback", json={"rating": "down", "reason": "@SUM(A1)"})
    (row,) = [row for row in table(owner, "q=formula") if row["Answer id"] == message]
    assert (row["Question"], row["Reason of the rating"]) == ("'=1+1, formula", "'@SUM(A1)")


def test_json_has_the_same_answers_and_changes_no_text(owner: OwnerBrowser, alice: Visitor) -> None:
    message = asked(alice, '=json 你好\n"quoted"')
    answers = owner.get("/admin/questions?format=json&q=json").json()
    (answer,) = [one for one in answers if one["message_id"] == message]
    assert answer["question"] == '=json 你好\n"quoted"' and answer["replies"]
    assert answer["agent"] == "coze" and len(answer["visitor"]) == 12
    assert alice.session.cookies["visitor"].partition(".")[0] not in json.dumps(answers)


def test_nothing_found_is_a_file_all_the_same(owner: OwnerBrowser) -> None:
    assert owner.get("/admin/questions?format=json&day=2001-01-01").json() == []
    assert table(owner, "day=2001-01-01") == []


def test_a_deleted_conversation_is_gone_for_everybody_and_in_the_log_without_a_word(
    owner: OwnerBrowser, alice: Visitor
) -> None:
    message = asked(alice, "to be erased")
    path = f"/admin/questions/{message}/delete"
    assert owner.post(path).status_code == 400, "it asks first"
    assert owner.post(path, data={"sure": "yes"}).status_code == 303
    assert alice.get(f"/c/{alice.conversation}").status_code == 404
    assert alice.post(f"/c/{alice.conversation}/restore").status_code == 404
    assert owner.get(f"/admin/questions/{message}").status_code == 404
    log = owner.get("/admin/log").text
    assert "Conversation deleted" in log and "erased" not in log


def test_deleting_ends_the_answer_that_is_being_made(owner: OwnerBrowser, alice: Visitor) -> None:
    events = alice.hear("!endless")
    while next(events).name != "delta":
        pass
    path = f"/admin/questions/{alice.message}/delete"
    assert owner.post(path, data={"sure": "yes"}).status_code == 303
    assert list(events)[-1].name in ("done", "error")
    assert alice.get(f"/c/{alice.conversation}").status_code == 404


def test_an_owner_who_does_not_read_sees_reasons_and_no_question(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator), ADMIN_PASSWORD=PASSWORD)
    owner, alice = OwnerBrowser(site).sign_in(PASSWORD), Visitor(site.url)
    owner.session.headers["Accept-Language"] = "en"
    message = asked(alice, "between us")
    alice.post(f"/chat/{message}/feedback", json={"rating": "down", "reason": "for the owner"})
    closed = owner.get("/admin/questions")
    assert "OWNER_READS=on" in closed.text and "between us" not in closed.text
    assert owner.get(f"/admin/questions/{message}").headers["Location"] == "/admin/questions"
    for format in ("csv", "json"):
        assert owner.get(f"/admin/questions?format={format}").status_code == 404
    assert owner.post(f"/admin/questions/{message}/delete", data={"sure": "yes"}).status_code == 404
    thumbs = owner.get("/admin/thumbs").text
    assert "for the owner" in thumbs and "between us" not in thumbs
    assert alice.get(f"/c/{alice.conversation}").ok
