"""A question asked again or in other words has its own branch and memory; the old one stays."""

import re
from typing import Any

import pytest

from providers import PLATFORMS
from tests.kit.site import Site, Visitor


def questions(visitor: Visitor, query: str = "") -> list[str]:
    """The questions that the page shows."""
    page = visitor.get(f"/c/{visitor.conversation}{query}").text
    return re.findall(r'class="question-text">(.+?)</p>', page)


def recalled(visitor: Visitor, **more: Any) -> str:
    """The questions that the agent remembers."""
    return str(visitor.ask("!recall", **more).json()["replies"][0])


@pytest.mark.parametrize("agent", PLATFORMS)
def test_an_edited_question_meets_only_what_was_before_it(demo_site: Site, agent: str) -> None:
    alice = Visitor(demo_site.url)
    assert alice.ask("apples first", agent=agent).ok
    assert alice.ask("then pears").ok
    pears = alice.message
    assert alice.ask("plums instead", instead=pears).ok
    remembered = recalled(alice)
    assert "apples first" in remembered and "plums instead" in remembered
    assert ("then pears" not in remembered) or not PLATFORMS[agent].branches
    assert questions(alice) == ["apples first", "plums instead", "!recall"]
    assert questions(alice, f"?at={pears}") == ["apples first", "then pears"], (
        "the old branch stays"
    )


@pytest.mark.parametrize("agent", PLATFORMS)
def test_the_old_branch_can_be_gone_on_with(demo_site: Site, agent: str) -> None:
    alice = Visitor(demo_site.url)
    assert alice.ask("apples first", agent=agent).ok
    assert alice.ask("then pears").ok
    pears = alice.message
    assert alice.ask("plums instead", instead=pears).ok
    remembered = recalled(alice, after=pears)
    assert "apples first" in remembered and "then pears" in remembered
    assert ("plums instead" not in remembered) or not PLATFORMS[agent].branches
    assert questions(alice) == ["apples first", "then pears", "!recall"], (
        "what was gone on with last is shown"
    )


def test_the_first_question_can_be_asked_again(demo_site: Site) -> None:
    alice = Visitor(demo_site.url)
    assert alice.ask("no, not this").ok
    assert alice.ask("but this", instead=alice.message).ok
    assert "no, not this" not in recalled(alice)
    assert "2 / 2" in alice.get(f"/c/{alice.conversation}").text


def test_branches_are_of_one_conversation_and_of_its_owner(demo_site: Site) -> None:
    alice, bob = Visitor(demo_site.url), Visitor(demo_site.url)
    assert alice.ask("mine").ok
    alices = alice.message
    assert bob.ask("his").ok
    for where in ({"instead": alices}, {"after": alices}, {"after": "nothing"}):
        refused = bob.ask("between hers", **where)
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert bob.get(f"/c/{bob.conversation}?at={alices}").status_code == 404
    assert bob.get(f"/c/{bob.conversation}?before={alices}").status_code == 404


def test_a_busy_conversation_begins_no_other_branch(demo_site: Site) -> None:
    alice = Visitor(demo_site.url)
    assert alice.ask("first").ok
    first = alice.message
    hearing = alice.hear("!pieces 10 100")
    next(hearing)
    assert alice.ask("meanwhile", instead=first).status_code == 409
    assert list(hearing)[-1].name == "done"


def test_a_form_asks_again_too(demo_site: Site) -> None:
    alice = Visitor(demo_site.url)
    assert alice.ask("with a form").ok
    again = {
        "message": "with another",
        "conversation_id": alice.conversation,
        "instead": alice.message,
    }
    answered = alice.post(data=again)
    assert answered.status_code == 200
    assert questions(alice) == ["with another"]
