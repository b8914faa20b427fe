"""A visitor's conversations are renamed, deleted, restored, shared and listed."""

import html
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import requests

from chat import storage
from chat.settings.model import Settings
from chat.storage import NewQuestion
from tests.kit.emulator import coze
from tests.kit.site import Site, Visitor

HTML = {"Accept": "text/html"}


def titles(visitor: Visitor, path: str = "/") -> list[str]:
    """What the sidebar lists."""
    sidebar = visitor.get(path).text.partition('class="sidebar"')[2].partition("</nav>")[0]
    return re.findall(r'<span class="truncate" dir="auto">(.*?)</span>', sidebar)


def test_a_conversation_can_have_another_title(alice: Visitor) -> None:
    assert alice.ask("a question about the weather").ok
    renamed = alice.post(f"/c/{alice.conversation}/title", json={"title": "  天气\n与<b>气候</b> "})
    assert renamed.status_code == 204
    assert titles(alice) == ["天气 与&lt;b&gt;气候&lt;/b&gt;"]
    by_form = alice.post(f"/c/{alice.conversation}/title", data={"title": "weather"}, headers=HTML)
    assert by_form.url.endswith(f"/c/{alice.conversation}"), "back on the page"
    assert titles(alice) == ["weather"]


@pytest.mark.parametrize("title", ["", "   ", "\x00", None, 7])
def test_a_title_is_words(alice: Visitor, title: object) -> None:
    assert alice.ask("first words").ok
    refused = alice.post(f"/c/{alice.conversation}/title", json={"title": title})
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_input")
    assert titles(alice) == ["first words"]


def test_what_is_deleted_is_gone_and_can_be_taken_back(alice: Visitor) -> None:
    assert alice.ask("to be deleted").ok
    page = alice.post(f"/c/{alice.conversation}/delete", headers=HTML)
    assert page.status_code == 200 and titles(alice) == []
    assert f'action="/c/{alice.conversation}/restore"' in page.text, "offered at once"
    for path in (f"/c/{alice.conversation}", f"/chat/{alice.message}/events"):
        assert alice.get(path).status_code == 404
    assert alice.ask("anybody?").status_code == 404
    assert alice.post(f"/c/{alice.conversation}/restore").status_code == 204
    assert titles(alice) == ["to be deleted"]
    assert alice.ask("and on").ok


def test_deleting_ends_the_answer_that_is_being_made(alice: Visitor) -> None:
    events = alice.hear("!endless")
    while next(events).name != "delta":
        pass
    assert alice.post(f"/c/{alice.conversation}/delete").status_code == 204
    end = list(events)[-1]
    assert (end.name, end.data["finish_reason"]) == ("done", "stopped")
    assert titles(alice) == []
    assert alice.post(f"/c/{alice.conversation}/restore").status_code == 204
    assert titles(alice) == ["!endless"]


def test_others_can_do_nothing_with_it(alice: Visitor, bob: Visitor) -> None:
    assert alice.ask("mine").ok
    for what in ("title", "pin", "delete", "restore", "share", "unshare", "clear"):
        body = {"title": "his", "pinned": True}
        refused = bob.post(f"/c/{alice.conversation}/{what}", json=body)
        assert (what, refused.status_code) == (what, 404)
    assert bob.get(f"/?deleted={alice.conversation}").status_code == 200
    assert titles(alice) == ["mine"]


def test_a_pinned_one_stands_above_newer_ones_until_it_is_unpinned(alice: Visitor) -> None:
    assert alice.ask("older").ok
    older, alice.conversation = alice.conversation, None
    assert alice.ask("newer").ok
    assert alice.post(f"/c/{older}/pin", json={"pinned": True}).status_code == 204
    assert titles(alice) == ["older", "newer"]
    assert alice.post(f"/c/{older}/pin", data={"pinned": "no"}, headers=HTML).ok
    assert titles(alice) == ["newer", "older"]
    assert alice.post(f"/c/{older}/pin", json={"pinned": "perhaps"}).status_code == 400
    assert alice.post(f"/c/{older}/pin", json={"pinned": 1}).status_code == 400


def test_several_are_deleted_at_once_and_taken_back_together(alice: Visitor, bob: Visitor) -> None:
    ids = []
    for question in ("one", "two"):
        alice.conversation = None
        assert alice.ask(question).ok
        ids.append(alice.conversation)
    assert bob.post("/conversations/delete", data={"id": ids}).status_code == 404
    assert alice.post("/conversations/delete", data={"id": [ids[0], "nowhere"]}).status_code == 404
    assert alice.post("/conversations/delete").status_code == 400
    assert 'role="alert"' in alice.post("/conversations/delete", headers=HTML).text
    assert titles(alice) == ["two", "one"], "all or none"
    page = alice.post("/conversations/delete", data={"id": ids}, headers=HTML)
    assert titles(alice) == []
    undo = re.search(r'action="(/c/\w+/restore)"', page.text)
    assert undo
    assert alice.post(undo[1], data={"to": "list"}, headers=HTML).url.endswith("/conversations")
    assert titles(alice) == ["two", "one"]


def test_deleted_ones_are_purged_after_an_hour(tmp_path) -> None:  # type: ignore[no-untyped-def]
    store = storage.connect(Settings(database_url=f"sqlite:///{tmp_path}/chat.db"))
    old = store.answers.store_question(NewQuestion("alice", "coze", "old", "w1"))
    store.answers.end(old.answer_id, "done", {})
    store.conversations.delete("alice", old.conversation_id)
    store.deletion.step()
    assert store.conversations.deleted("alice", old.conversation_id), "not yet"
    assert store.deletion.step(timedelta(0))
    assert store.conversations.deleted("alice", old.conversation_id) is None
    store.close()


# files


def test_a_conversation_can_be_taken_along_as_a_file(alice: Visitor, bob: Visitor) -> None:
    assert alice.ask("天气如何？").ok
    first = alice.message
    assert alice.ask("and tomorrow?", instead=first).ok
    markdown = alice.get(f"/c/{alice.conversation}/export.md")
    assert markdown.headers["Content-Type"].startswith("text/markdown")
    assert "filename*=UTF-8''" in markdown.headers["Content-Disposition"]
    assert "and tomorrow?" in markdown.text and "> 天气如何？" not in markdown.text
    assert "> 天气如何？" in alice.get(f"/c/{alice.conversation}/export.md?at={first}").text
    document = alice.get(f"/c/{alice.conversation}/export.json").json()
    assert [one["question"] for one in document["answers"]] == ["and tomorrow?"]
    assert bob.get(f"/c/{alice.conversation}/export.json").status_code == 404


# links


def share(visitor: Visitor, **form: str) -> str:
    made = visitor.post(
        f"/c/{visitor.conversation}/share", data=form, headers={"Accept": "application/json"}
    )
    assert made.status_code == 201
    return str(made.json()["url"])


def cards_of(address: str) -> dict[str, str]:
    """What messengers show of a link."""
    page = requests.get(address, timeout=10).text
    cards = re.findall(r'<meta property="og:(\w+)" content="([^"]*)"', page)
    return {name: html.unescape(text) for name, text in cards}


def test_a_link_shows_what_was_there_and_nothing_later(alice: Visitor) -> None:
    assert alice.ask("for everybody !markdown").ok
    link = share(alice)
    assert alice.ask("for me alone").ok
    seen = requests.get(alice.url + link, timeout=10)
    assert "for everybody" in seen.text and "for me alone" not in seen.text
    assert "Set-Cookie" not in seen.headers, "a reader is no visitor"
    assert seen.headers["X-Robots-Tag"].startswith("noindex")
    assert 'method="post"' not in seen.text and alice.conversation not in seen.text
    assert "data-copy" not in seen.text, "nothing there listens to it"


def test_a_link_shows_the_branch_that_a_program_names(alice: Visitor) -> None:
    assert alice.ask("for everybody").ok
    first = alice.message
    assert alice.ask("for me alone", instead=first).ok
    path = f"/c/{alice.conversation}/share"
    link = alice.post(path, json={"at": first}).json()["url"]
    assert "for me alone" not in requests.get(alice.url + link, timeout=10).text
    assert alice.post(path, json={"at": [first]}).status_code == 400
    assert alice.post(path, data=f"at={first}".encode()).status_code == 415


def test_a_link_says_to_messengers_whose_it_is_and_nothing_of_what_was_said(
    alice: Visitor,
) -> None:
    assert alice.ask("my secret recipe").ok
    # As the form does it.
    page = alice.post(f"/c/{alice.conversation}/share", headers=HTML).text
    link = re.search(r'id="share-link" value="([^"]+)"', page)
    assert link
    cards = cards_of(link[1])
    assert cards["title"] and cards["description"] and cards["site_name"]
    assert "recipe" not in "".join(cards.values())
    assert requests.get(cards["image"], timeout=10).headers["Content-Type"] == "image/png"


def test_a_link_s_preview_has_the_first_question_where_its_visitor_wants_that(
    alice: Visitor,
) -> None:
    question = 'Is "1 < 2"?\n' + "真的吗" * 60
    assert alice.ask(question).ok
    assert alice.ask("for me alone").ok
    first = share(alice, preview="yes")
    shown = cards_of(alice.url + first)["description"]
    assert shown.startswith('Is "1 < 2"? 真的吗') and shown.endswith("…") and len(shown) == 120
    page = alice.get(f"/c/{alice.conversation}").text
    assert 'name="preview" value="yes" autocomplete="off" checked>' in page
    second = share(alice)
    assert "真的吗" not in cards_of(alice.url + second)["description"], "each link asks anew"
    alice.post(f"/c/{alice.conversation}/unshare")
    assert requests.get(alice.url + second, timeout=10).status_code == 404
    assert "checked" not in alice.get(f"/c/{alice.conversation}").text.split("/share")[1][:600]


def test_the_preview_of_a_link_that_is_there_can_be_changed(alice: Visitor) -> None:
    assert alice.ask("my open question").ok
    path = f"/c/{alice.conversation}/share"
    link = alice.post(path, json={"same": True}).json()["url"]
    for preview in (True, False):
        body = {"same": True, "preview": preview}
        assert alice.post(path, json=body).json()["url"] == link
        assert ("open question" in cards_of(alice.url + link)["description"]) is preview
    for wrong in (1, "maybe", ["yes"]):
        assert alice.post(path, json={"preview": wrong}).status_code == 400
    assert requests.get(alice.url + link, timeout=10).status_code == 200, "nothing was changed"


def test_a_link_can_be_withdrawn_and_replaced(alice: Visitor) -> None:
    assert alice.ask("for now").ok
    first = share(alice)
    second = share(alice)
    assert first != second and len(first) > 30
    assert requests.get(alice.url + first, timeout=10).status_code == 404
    assert requests.get(alice.url + second, timeout=10).status_code == 200
    assert second in alice.get(f"/c/{alice.conversation}").text
    assert alice.post(f"/c/{alice.conversation}/unshare").status_code == 204
    assert requests.get(alice.url + second, timeout=10).status_code == 404
    third = share(alice)
    alice.post(f"/c/{alice.conversation}/delete")
    assert requests.get(alice.url + third, timeout=10).status_code == 404
    alice.post(f"/c/{alice.conversation}/restore")
    assert requests.get(alice.url + third, timeout=10).status_code == 404, (
        "taken back, but not shared again"
    )


def test_a_link_is_to_the_branch_it_was_made_on(alice: Visitor) -> None:
    assert alice.ask("the first way").ok
    first = alice.message
    assert alice.ask("the second way", instead=first).ok
    assert "the first way" in requests.get(alice.url + share(alice, at=first), timeout=10).text


def test_a_link_is_named_by_a_question_that_it_shows(alice: Visitor) -> None:
    assert alice.ask("my number is 8731").ok
    first = alice.message
    assert alice.ask("what is a number?", instead=first).ok
    link = share(alice)
    page = requests.get(alice.url + link, timeout=10).text
    assert "8731" not in page and "<h1" in page and "what is a number?" in page
    alice.post(f"/c/{alice.conversation}/title", json={"title": "About 8731"})
    assert "About 8731" in requests.get(alice.url + link, timeout=10).text, "a title of one's own"


# long lists


@pytest.fixture(scope="module")
def crowded(keep_site: Callable[..., Site], emulator) -> tuple[Site, Visitor]:  # type: ignore[no-untyped-def]
    """A site with a visitor who has asked very often."""
    site = keep_site(**coze(emulator))
    return site, Visitor(site.url)


def test_a_long_conversation_is_shown_a_part_at_a_time(crowded: tuple[Site, Visitor]) -> None:
    _, alice = crowded
    for number in range(45):
        list(alice.hear(f"question {number}."))
    path = f"/c/{alice.conversation}"
    seen: list[str] = []
    while path:
        page = alice.get(path).text
        part = re.findall(r'class="question-text">(.+?)</p>', page)
        assert len(part) <= 20
        seen = part + seen
        earlier = re.search(r'href="([^"]*)" data-more', page)
        path = earlier[1].replace("&amp;", "&") if earlier else ""
    assert seen == [f"question {number}." for number in range(45)]
