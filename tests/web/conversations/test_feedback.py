"""A visitor says of an answer whether it was useful, as a program and by a form."""

import re
from typing import Any

import pytest

from chat.web.conversations.exchanges import EXCHANGES
from tests.kit.site import Site, Visitor

HTML = {"Accept": "text/html"}


def feedback(visitor: Visitor) -> str:
    return f"/chat/{visitor.message}/feedback"


def rating(visitor: Visitor) -> tuple[str | None, str | None]:
    document = visitor.get(f"/c/{visitor.conversation}/export.json").json()
    return document["answers"][-1]["rating"], document["answers"][-1]["rating_reason"]


def pressed(html: str, message: str | None) -> list[str]:
    """The buttons of an answer that a page shows as pressed."""
    exchange = html.partition(f'id="m-{message}"')[2].partition("</article>\n</li>")[0]
    return re.findall(r'data-rate="(\w+)" aria-pressed="true"', exchange)


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        ({"rating": "up"}, ("up", None)),
        ({"rating": "down", "reason": "  太长了\r\n真的 "}, ("down", "太长了\n真的")),
        ({"rating": "down", "reason": " "}, ("down", None)),
        ({"rating": "down", "reason": "字" * 500}, ("down", "字" * 500)),
        ({"rating": None, "reason": "x"}, (None, None)),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_rating_is_stored(alice: Visitor, body: Any, stored: Any) -> None:
    assert alice.ask("hello").ok
    assert alice.post(feedback(alice), json=body).status_code == 204
    assert rating(alice) == stored


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "bad_input"),
        ({"reason": "none"}, 400, "bad_input"),
        ({"rating": "sideways"}, 400, "bad_input"),
        ({"rating": ["up"]}, 400, "bad_input"),
        ({"rating": ""}, 400, "bad_input"),
        ({"rating": True}, 400, "bad_input"),
        ({"rating": "up", "reason": 7}, 400, "bad_input"),
        ({"rating": "up", "reason": "\x00"}, 400, "bad_input"),
        ({"rating": "up", "reason": "\ud83d"}, 400, "bad_input"),
        ({"rating": "up", "reason": "x" * 501}, 413, "too_long"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_rating_is_refused(alice: Visitor, body: Any, status: int, code: str) -> None:
    assert alice.ask("hello").ok
    refused = alice.post(feedback(alice), json=body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert rating(alice) == (None, None)


def test_a_body_of_another_kind_is_no_rating(alice: Visitor) -> None:
    assert alice.ask("hello").ok
    headers = {"Content-Type": "text/plain"}
    assert alice.post(feedback(alice), data='{"rating":"up"}', headers=headers).status_code == 415


def test_another_s_answer_is_not_there_to_be_rated(alice: Visitor, bob: Visitor) -> None:
    assert alice.ask("hello").ok
    assert bob.post(feedback(alice), json={"rating": "down"}).status_code == 404
    assert rating(alice) == (None, None)


def test_a_live_answer_is_not_rated_yet(alice: Visitor) -> None:
    events = alice.hear("!endless")
    while next(events).name != "delta":
        pass
    assert alice.post(feedback(alice), json={"rating": "up"}).status_code == 409
    alice.stop()
    assert list(events)[-1].name == "done"
    assert alice.post(feedback(alice), json={"rating": "up"}).status_code == 204


def test_a_form_leads_back_to_the_answer_and_a_second_press_takes_it_back(alice: Visitor) -> None:
    assert alice.ask("hello").ok
    page = alice.post(feedback(alice), data={"rating": "down"}, headers=HTML)
    assert page.url.endswith(f"#tools-{alice.message}") and pressed(page.text, alice.message) == [
        "down"
    ]
    reason = {"rating": "down", "reason": "<b>why</b>"}
    page = alice.post(feedback(alice), data=reason, headers=HTML)
    assert "&lt;b&gt;why&lt;/b&gt;</textarea>" in page.text
    page = alice.post(feedback(alice), data={"rating": ""}, headers=HTML)
    assert pressed(page.text, alice.message) == [] and rating(alice) == (None, None)


def test_a_form_leads_back_to_an_answer_far_above_and_on_another_branch(alice: Visitor) -> None:
    assert alice.ask("first").ok
    first = alice.message
    for number in range(EXCHANGES):
        assert alice.ask(f"question {number}").ok
    assert alice.ask("another beginning", instead=first).ok
    page = alice.post(f"/chat/{first}/feedback", data={"rating": "up"}, headers=HTML)
    assert pressed(page.text, first) == ["up"]


def test_the_exported_text_says_what_was_said_of_an_answer(alice: Visitor) -> None:
    assert alice.ask("hello").ok
    alice.post(feedback(alice), json={"rating": "down", "reason": "*not* this\n# or that"})
    alice.session.headers["Accept-Language"] = "en"
    markdown = alice.get(f"/c/{alice.conversation}/export.md").text
    assert "*You did not find this answer useful.* \\*not\\* this \\# or that" in markdown


def test_readers_of_a_link_see_no_rating(site: Site, alice: Visitor, bob: Visitor) -> None:
    assert alice.ask("hello").ok
    alice.post(feedback(alice), json={"rating": "down", "reason": "between us"})
    headers = {"Accept": "application/json"}
    link = alice.post(f"/c/{alice.conversation}/share", headers=headers).json()["url"]
    shared = bob.get(link).text
    assert "between us" not in shared and "data-rate" not in shared
