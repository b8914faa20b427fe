"""Visitors of the deployed site do all they can in any order, while the platforms are in trouble.

A model knows what each of them asked. After each step the site has to hold the same: no question
lost, none stored or sent twice, none in another's hands. `STATEFUL_EXAMPLES=200` walks further.
"""

import itertools
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import requests
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.kit.emulator import Emulator
from tests.kit.patience import eventually
from tests.kit.site import ServerEvent, Site, Visitor, read_events, visitor_from

EXAMPLES = int(os.environ.get("STATEFUL_EXAMPLES", "0"))
CHAT_TIMEOUT_S = 3
AGENTS = ("coze", "yuanqi", "huawei", "qingyan", "wenxin")
# They cannot be told another past (docs/api.md, "Asking").
ONE_MEMORY = ("qingyan", "wenxin")
GOOD = (
    "",
    "!recall",
    "!pieces 20 20",
    "!slow 0.3",
    "!think",
    "!think-text",
    "!think-end",
    "!two",
    "!chop",
    "!tight",
    "!heartbeat",
    "!half-emoji",
)
TROUBLE = (
    "!cut",
    "!short",
    "!late-error",
    "!blocked",
    "!blocked-late",
    "!empty",
    "!silent",
    "!endless",
    "!pause 9",
    "!http 503",
    "!html 502",
    "!nothing 200",
    "!garbage",
    "!code 4200",
    "!late-code 4000",
    "!early-list 2",
    "!half-list",
    "!late-chat",
    "!dead",
    "!retrieve-http 502",
    "!sse-error",
    "!busy",
)
# Whoever is refused asks again; these were taken, and must not be asked twice.
TAKEN = ("!cut", "!short", "!late-error", "!blocked-late", "!empty", "!endless", "!pause 9")
ENDED = ("done", "stopped", "failed", "interrupted")
HTML = {"Accept": "text/html"}
WAYS = ("stream", "hang up", "json", "form")
_MARK = re.compile(r"mark\d+x")
_MARKS = itertools.count(1)
_HOUSES = itertools.count(1)


def marks(text: str) -> set[str]:
    """The questions that a text comes from: each carries a word of its own."""
    return set(_MARK.findall(text))


@dataclass(eq=False)
class Turn:
    """A question that was taken, and what is known of its answer."""

    question: str
    word: str
    parent: "Turn | None"
    id: str = ""
    is_stopped: bool = False
    state: str = "running"
    replies: list[str] = field(default_factory=list)

    @property
    def path(self) -> list["Turn"]:
        return [*(self.parent.path if self.parent else []), self]


@dataclass(eq=False)
class Chat:
    """A conversation as its owner knows it; its turns as they were asked."""

    agent: str
    owner: int
    id: str = ""
    turns: list[Turn] = field(default_factory=list)
    is_deleted: bool = False
    link: str | None = None
    linked_to: Turn | None = None

    @property
    def is_answering(self) -> bool:
        return any(turn.state == "running" for turn in self.turns)

    @property
    def leaves(self) -> list[Turn]:
        parents = {turn.parent for turn in self.turns}
        return [turn for turn in self.turns if turn not in parents]


@dataclass(eq=False)
class Browser:
    """A browser, and the number of the visitor that it is at the moment."""

    visitor: Visitor
    owner: int


class Walk(RuleBasedStateMachine):
    """The walk: rules are what visitors do, each ends with a look at what the site holds."""

    site: Site

    def __init__(self) -> None:
        super().__init__()
        self.owners = itertools.count()
        self.browsers = [Browser(newcomer(self.site), next(self.owners)) for _ in range(3)]
        self.chats: list[Chat] = []
        self.dead_links: list[str] = []

    # what visitors do

    @rule(
        who=st.integers(0, 2),
        agent=st.sampled_from(AGENTS),
        word=st.sampled_from(GOOD + TROUBLE),
        way=st.sampled_from(WAYS),
    )
    def begin(self, who: int, agent: str, word: str, way: str) -> None:
        browser = self.browsers[who]
        chat = Chat(agent, browser.owner)
        self.ask(browser, chat, Turn(new_question(word), word, None), way, agent=agent)

    @precondition(lambda self: self.open_chats())
    @rule(
        number=st.integers(0, 99),
        word=st.sampled_from(GOOD + TROUBLE),
        way=st.sampled_from(WAYS),
    )
    def go_on(self, number: int, word: str, way: str) -> None:
        chat = pick(self.open_chats(), number)
        turn = Turn(new_question(word), word, chat.turns[-1])
        self.ask(self.browser_of(chat), chat, turn, way)

    @precondition(lambda self: self.open_chats())
    @rule(
        number=st.integers(0, 99),
        word=st.none() | st.sampled_from(GOOD + TROUBLE),
        way=st.sampled_from(WAYS),
    )
    def edit_or_ask_again(self, number: int, word: str | None, way: str) -> None:
        chat, former = pick(self.open_turns(), number)
        if word is None:
            turn = Turn(former.question, former.word, former.parent)
        else:
            turn = Turn(new_question(word), word, former.parent)
        self.ask(self.browser_of(chat), chat, turn, way, instead=former.id)

    @precondition(lambda self: self.open_chats())
    @rule(number=st.integers(0, 99))
    def stop(self, number: int) -> None:
        chat, turn = pick(self.open_turns(), number)
        response = self.browser_of(chat).visitor.post(f"/chat/{turn.id}/stop")
        assert response.status_code == 202
        turn.is_stopped = turn.is_stopped or turn.state == "running"
        self.compare(chat)

    @precondition(lambda self: self.open_chats())
    @rule(number=st.integers(0, 99), place=st.integers(0, 99))
    def reload(self, number: int, place: int) -> None:
        """The answer to its end, and once more from one of its events on."""
        chat, turn = pick(self.open_turns(), number)
        whole = self.follow(chat, turn, 0)
        position = pick([event.id for event in whole], place)
        rest = self.follow(chat, turn, position)
        heard = "".join(str(event.data) for event in whole + rest)
        assert marks(heard) <= self.may_say(chat, turn)
        self.compare(chat)
        assert turn.state in ENDED, "it was heard to its end"
        assert replies_of(whole) == turn.replies
        assert whole[-1].name == ("done" if turn.state in ("done", "stopped") else "error")
        if position < whole[-1].id:
            assert rest[-1].name == whole[-1].name

    @precondition(lambda self: self.open_chats())
    @rule(number=st.integers(0, 99), form=st.booleans())
    def delete(self, number: int, form: bool) -> None:
        chat = pick(self.open_chats(), number)
        response = self.browser_of(chat).visitor.post(
            f"/c/{chat.id}/delete", headers=HTML if form else {}, allow_redirects=False
        )
        assert response.status_code == (303 if form else 204), response.text
        self.end(chat)
        self.compare(chat)

    @precondition(lambda self: any(chat.is_deleted for chat in self.chats))
    @rule(number=st.integers(0, 99))
    def restore(self, number: int) -> None:
        chat = pick([chat for chat in self.chats if chat.is_deleted], number)
        assert self.browser_of(chat).visitor.post(f"/c/{chat.id}/restore").status_code == 204
        chat.is_deleted = False
        self.compare(chat)

    @precondition(lambda self: self.open_chats())
    @rule(number=st.integers(0, 99))
    def share(self, number: int) -> None:
        chat, turn = pick(self.open_turns(), number)
        turn = newest_below(chat, turn)
        response = self.browser_of(chat).visitor.post(f"/c/{chat.id}/share", data={"at": turn.id})
        assert response.status_code == 201
        self.dead_links += [chat.link] if chat.link else []
        chat.link, chat.linked_to = response.json()["url"], turn
        self.read_link(chat)

    @precondition(lambda self: any(chat.link for chat in self.open_chats()))
    @rule(number=st.integers(0, 99))
    def withdraw(self, number: int) -> None:
        chat = pick([chat for chat in self.open_chats() if chat.link], number)
        assert self.browser_of(chat).visitor.post(f"/c/{chat.id}/unshare").status_code == 204
        self.unlink(chat)

    @rule(giver=st.integers(0, 2), taker=st.integers(0, 2), bring=st.booleans())
    def move_device(self, giver: int, taker: int, bring: bool) -> None:
        here, there = self.browsers[giver], self.browsers[taker]
        if here is there:
            return
        page = here.visitor.post("/device").text
        code = re.search(r'translate="no">([^<]+)<', page)
        assert code is not None
        form = {"code": code[1], **({"bring": "yes"} if bring else {})}
        response = there.visitor.post("/device/claim", data=form, allow_redirects=False)
        assert response.status_code == 303
        again = newcomer(self.site).post("/device/claim", data=form, allow_redirects=False)
        assert again.status_code == 404, "a code is good once"
        for chat in self.chats:
            if bring and chat.owner == there.owner:
                chat.owner = here.owner
        there.owner = here.owner
        self.leave_behind()

    @rule(who=st.integers(0, 2))
    def forget(self, who: int) -> None:
        browser = self.browsers[who]
        assert browser.visitor.post("/forget", data={"sure": "yes"}).status_code == 204
        for chat in [chat for chat in self.chats if chat.owner == browser.owner]:
            self.end(chat)
            self.chats.remove(chat)
            assert self.export(browser, chat).status_code == 404
        browser.owner = next(self.owners)

    # what has to hold

    def check_invariants(self, *arguments: Any, **options: Any) -> None:
        super().check_invariants(*arguments, **options)
        for browser in self.browsers:
            listed = re.findall(r'href="/c/(\w+)"', browser.visitor.get("/conversations").text)
            own = {chat.id for chat in self.open_chats() if chat.owner == browser.owner}
            assert set(listed) == own
        for chat in self.open_chats():
            if chat.link:
                self.read_link(chat)
        for link in self.dead_links[-2:]:
            assert requests.get(self.site.url + link, timeout=60).status_code == 404

    def teardown(self) -> None:
        for chat in self.open_chats():
            for turn in chat.turns:
                self.follow(chat, turn, 0)
            assert eventually(lambda chat=chat: self.have_ended(chat))
        self.check_asked_once()

    def have_ended(self, chat: Chat) -> bool:
        self.compare(chat)
        return not chat.is_answering

    def compare(self, chat: Chat) -> None:
        """The conversation as its owner has it on every branch, and as others have it not."""
        for browser in self.browsers:
            if browser.owner != chat.owner or chat.is_deleted:
                self.check_stranger(browser, chat)
        if chat.is_deleted:
            return
        browser = self.browser_of(chat)
        for leaf in chat.leaves:
            self.compare_branch(chat, leaf, self.export(browser, chat, leaf).json())
            page = browser.visitor.get(f"/c/{chat.id}?at={leaf.id}").text
            assert re.findall(r'id="m-(\w+)"', page) == [turn.id for turn in leaf.path]
        newest = self.export(browser, chat).json()["answers"]
        assert questions(newest) == [turn.question for turn in chat.turns[-1].path]

    def compare_branch(self, chat: Chat, leaf: Turn, document: dict[str, Any]) -> None:
        answers = document["answers"]
        assert questions(answers) == [turn.question for turn in leaf.path]
        for turn, answer in zip(leaf.path, answers, strict=True):
            state, replies = answer["state"], answer["replies"]
            if turn.state != "running":
                assert (state, replies) == (turn.state, turn.replies), "what has ended stays"
                continue
            turn.state, turn.replies = state, replies
            assert marks(" ".join(replies)) <= self.may_say(chat, turn)
            if state != "running":
                self.check_end(chat, turn, answer["code"])

    def check_end(self, chat: Chat, turn: Turn, code: str | None) -> None:
        assert turn.state in ENDED
        if turn.state == "stopped":
            assert turn.is_stopped
        if turn.word in GOOD and not turn.is_stopped and code != "rate_limited":
            assert turn.state == "done", (turn, code)
        earlier = turn.path[:-1]
        is_well = all(other.state == "done" and other.word in GOOD for other in turn.path)
        if turn.word == "!recall" and is_well and chat.agent not in ONE_MEMORY:
            expected = {mark for other in earlier[-5:] for mark in marks(other.question)}
            assert marks(turn.replies[0]) == expected, "the agent knows this branch"
        elif turn.word in GOOD and turn.state == "done" and turn.word != "!recall":
            assert marks(turn.question) <= marks(" ".join(turn.replies))

    def may_say(self, chat: Chat, turn: Turn) -> set[str]:
        known = chat.turns if chat.agent in ONE_MEMORY else turn.path
        return {mark for other in known for mark in marks(other.question)}

    def check_stranger(self, browser: Browser, chat: Chat) -> None:
        visitor = browser.visitor
        turn = chat.turns[-1]
        assert self.export(browser, chat).status_code == 404
        assert visitor.get(f"/c/{chat.id}").status_code == 404
        assert visitor.get(f"/chat/{turn.id}/events").status_code == 404
        assert visitor.post(f"/chat/{turn.id}/stop").status_code == 404
        body = {"message": "mine?", "conversation_id": chat.id, "agent": chat.agent}
        assert visitor.post(json=body).status_code == 404
        if browser.owner != chat.owner:
            assert visitor.post(f"/c/{chat.id}/delete").status_code == 404
            assert visitor.post(f"/c/{chat.id}/restore").status_code == 404

    def read_link(self, chat: Chat) -> None:
        """A stranger with the link reads that branch, and nothing else."""
        assert chat.link is not None and chat.linked_to is not None
        page = requests.get(self.site.url + chat.link, timeout=60).text
        path = chat.linked_to.path
        assert re.findall(r'id="m-(\w+)"', page) == [turn.id for turn in path]
        assert marks(page) <= self.may_say(chat, chat.linked_to)

    def check_asked_once(self) -> None:
        """What a platform took was not asked of it again."""
        sent = sent_questions(Emulator(str(self.site.settings["DEMO_URL"])))
        for chat in self.chats:
            for question in {turn.question for turn in chat.turns}:
                turns = [turn for turn in chat.turns if turn.question == question]
                if turns[0].word in GOOD + TAKEN:
                    assert sent.count(question) <= len(turns), question
                done = [turn for turn in turns if turn.state == "done"]
                assert sent.count(question) >= len(done), question

    # how it is done

    def open_chats(self) -> list[Chat]:
        return [chat for chat in self.chats if not chat.is_deleted]

    def open_turns(self) -> list[tuple[Chat, Turn]]:
        return [(chat, turn) for chat in self.open_chats() for turn in chat.turns]

    def browser_of(self, chat: Chat) -> Browser:
        browsers = [browser for browser in self.browsers if browser.owner == chat.owner]
        return browsers[len(chat.turns) % len(browsers)]

    def end(self, chat: Chat) -> None:
        """The conversation is deleted, and its links with it."""
        chat.is_deleted = True
        self.unlink(chat)
        for turn in chat.turns:
            turn.is_stopped = turn.is_stopped or turn.state == "running"

    def unlink(self, chat: Chat) -> None:
        self.dead_links += [chat.link] if chat.link else []
        chat.link = chat.linked_to = None

    def leave_behind(self) -> None:
        """What belongs to a visitor without a browser is nobody's from now on."""
        owners = {browser.owner for browser in self.browsers}
        for chat in [chat for chat in self.chats if chat.owner not in owners]:
            self.chats.remove(chat)
            for browser in self.browsers:
                self.check_stranger(browser, chat)

    def export(self, browser: Browser, chat: Chat, at: Turn | None = None) -> requests.Response:
        query = f"?at={at.id}" if at else ""
        return browser.visitor.get(f"/c/{chat.id}/export.json{query}")

    def follow(self, chat: Chat, turn: Turn, position: int) -> list[ServerEvent]:
        visitor = self.browser_of(chat).visitor
        visitor.message = turn.id
        return list(visitor.follow(position))

    def ask(self, browser: Browser, chat: Chat, turn: Turn, way: str, **more: str) -> None:
        """Asks in one of the ways; the model learns what became of it."""
        body = {"message": turn.question, "conversation_id": chat.id, **more}
        if way == "form":
            response = browser.visitor.post(data=body, headers=HTML, allow_redirects=False)
        else:
            is_stream = way in ("stream", "hang up")
            response = browser.visitor.post(json={**body, "stream": is_stream}, stream=is_stream)
        if is_busy(response):
            assert chat.is_answering
            return
        chat.turns.append(turn)
        if chat not in self.chats:
            self.chats.append(chat)
        self.learn_ids(browser, chat, turn, way, response)
        assert chat.id and turn.id
        self.compare(chat)

    def learn_ids(
        self, browser: Browser, chat: Chat, turn: Turn, way: str, response: requests.Response
    ) -> None:
        if way == "form":
            assert response.status_code == 303, response.text
            match = re.fullmatch(r"/c/(\w+)#m-(\w+)", response.headers["Location"])
            assert match is not None
            chat.id, turn.id = match.groups()
            return
        if way in ("stream", "hang up"):
            assert response.status_code == 200, response.text
            with response:
                events = read_events(response)
                opening = next(events).data
                chat.id, turn.id = opening["conversation_id"], opening["message_id"]
                if way == "stream":
                    assert [event.name for event in events][-1] in ("done", "error")
            return
        if not chat.id:
            listed = re.findall(r'href="/c/(\w+)"', browser.visitor.get("/conversations").text)
            (chat.id,) = set(listed) - {other.id for other in self.chats}
        page = browser.visitor.get(f"/c/{chat.id}").text
        turn.id = re.findall(r'id="m-(\w+)"', page)[-1]
        if response.ok:
            assert response.json()["message_id"] == turn.id


def newcomer(site: Site) -> Visitor:
    """A browser at an address of its own: a code that was used up counts as a guess."""
    house = next(_HOUSES)
    return visitor_from(site, f"10.0.{house // 250}.{house % 250 + 1}")


def new_question(word: str) -> str:
    return f"mark{next(_MARKS)}x {word}".strip()


def pick(choices: list[Any], number: int) -> Any:
    return choices[number % len(choices)]


def newest_below(chat: Chat, turn: Turn) -> Turn:
    """Where the branch through a turn ends that takes the newest way."""
    return next(leaf for leaf in reversed(chat.turns) if turn in leaf.path)


def is_busy(response: requests.Response) -> bool:
    return response.status_code == 409


def questions(answers: list[dict[str, Any]]) -> list[str]:
    return [answer["question"] for answer in answers]


def replies_of(events: list[ServerEvent]) -> list[str]:
    replies: dict[int, str] = {}
    for event in events:
        number = event.data.get("reply", 0)
        if event.name == "delta":
            replies[number] = replies.get(number, "") + event.data["text"]
        elif event.name == "replace":
            replies[number] = event.data["text"]
    return [replies[number] for number in sorted(replies)]


def sent_questions(emulator: Emulator) -> list[str]:
    """The last text with a mark of each request: what comes before it is history."""
    sent = []
    for entry in emulator.journal()["requests"]:
        texts = [text for text in texts_of(entry["body"]) if marks(text)]
        if texts:
            sent.append(texts[-1])
    return sent


def texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts_of(inner)


def test_visitors_keep_what_is_theirs_whatever_they_and_the_platforms_do(
    start_emulator: Callable[..., Emulator], start_site: Callable[..., Site]
) -> None:
    emulator = start_emulator()
    site = start_site(
        DEMO_URL=emulator.url,
        CHAT_TIMEOUT_S=CHAT_TIMEOUT_S,
        VISITOR_LIVE_ANSWERS=0,
        TRUSTED_PROXIES=1,
    )
    walk = type("WalkOfSite", (Walk,), {"site": site})
    run_state_machine_as_test(
        walk,
        settings=settings(
            max_examples=EXAMPLES or 8,
            stateful_step_count=40 if EXAMPLES else 15,
            derandomize=not EXAMPLES,
            deadline=None,
            # Shrinking walks for minutes, and what depends on time does not fail twice.
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
