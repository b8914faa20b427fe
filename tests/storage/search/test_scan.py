"""Search over real databases: ended answers are found, by their visitor and nobody else."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from chat.storage import NewQuestion, Storage, StoredQuestion
from chat.storage.models import Answer, Conversation, now
from chat.storage.search.scan import PAGE, Search
from tests.kit.filling import fill


@pytest.fixture
def search(store: Storage) -> Search:
    return store.search


def say(
    store: Storage,
    question: str,
    *replies: str,
    conversation: str | None = None,
    visitor: str = "alice",
) -> StoredQuestion:
    asked = store.answers.store_question(
        NewQuestion(visitor, "coze", question, "w1", conversation_id=conversation)
    )
    store.answers.end(asked.answer_id, "done", {"replies": list(replies)})
    return asked


def found(search: Search, typed: str, visitor: str = "alice") -> list[str | None]:
    """The answers that are found; None for a title."""
    return [one.answer_id for one in search.find(visitor, typed)]


def test_questions_and_replies_are_found_as_soon_as_they_have_ended(
    store: Storage, search: Search
) -> None:
    first = say(store, "北京有什么好玩的？", "故宫和长城。", "还有 Summer Palace")
    assert (
        found(search, "长城")
        == found(search, "好玩")
        == found(search, "summ 故宫")
        == [first.answer_id]
    )
    running = store.answers.store_question(
        NewQuestion("alice", "coze", "那么上海呢？", "w1", conversation_id=first.conversation_id)
    )
    assert found(search, "上海") == []
    store.answers.end(running.answer_id, "stopped", {"replies": ["外滩"]})
    assert found(search, "上海 外滩") == [running.answer_id]


def test_a_conversation_is_shown_once_and_the_newest_comes_first(
    store: Storage, search: Search
) -> None:
    first = say(store, "苹果")
    second = say(store, "香蕉和苹果")
    again = say(store, "再说苹果", conversation=first.conversation_id)
    assert found(search, "苹果") == [again.answer_id, second.answer_id]
    assert len(search.find("alice", "苹果", limit=1)) == 1


def test_a_title_is_found_by_its_words(store: Storage, search: Search) -> None:
    asked = say(store, "hello", "world")
    with store.engine.begin() as db:
        db.execute(update(Conversation).values(title="我的Trip计划\n2026"))
    (one,) = search.find("alice", "trip")
    assert (one.conversation_id, one.answer_id, one.excerpt) == (asked.conversation_id, None, ())
    assert one.title == (("我的", False), ("Trip", True), ("计划\n2026", False))
    assert found(search, "计划 2026") == [None] and found(search, "计划 hello") == []


def test_an_excerpt_comes_from_where_the_word_is(store: Storage, search: Search) -> None:
    say(store, "问题", "第一段", "很长" * 200 + "关键词在这里")
    (one,) = search.find("alice", "关键词")
    assert ("关键词", True) in one.excerpt and one.excerpt[0][0].startswith("…")
    assert now() - one.at < timedelta(minutes=1)


def test_nobody_finds_what_another_has_said(store: Storage, search: Search) -> None:
    say(store, "秘密", visitor="bob")
    say(store, "公开")
    assert found(search, "秘密") == [] and len(found(search, "秘密", "bob")) == 1
    assert found(search, "公开", "bob") == [] and found(search, 'owner : "x" OR 秘密') == []


def test_what_was_thrown_away_is_not_found_until_it_comes_back(
    store: Storage, search: Search
) -> None:
    say(store, "草稿", "内容")
    for deleted_at, count in ((now(), 0), (None, 1)):
        with store.engine.begin() as db:
            db.execute(update(Conversation).values(deleted_at=deleted_at))
        assert len(found(search, "草稿")) == len(found(search, "内容")) == count


def test_what_is_deleted_is_not_found(store: Storage, search: Search) -> None:
    gone, kept = say(store, "苹果"), say(store, "苹果树")
    assert len(found(search, "苹果")) == 2
    with store.engine.begin() as db:
        db.execute(delete(Conversation).where(Conversation.id == gone.conversation_id))
    assert found(search, "苹果") == [kept.answer_id]


def test_what_a_person_reads_is_found(store: Storage, search: Search) -> None:
    say(store, "在哪里改？", "请打开**设置**页，[点这里](https://example.com/hidden)。")
    (hit,) = search.find("alice", "设置页")
    assert ("设置页", True) in hit.excerpt
    assert found(search, "设") and found(search, "点这") and not found(search, "hidden")


def test_what_another_visitor_has_brought_along_is_found(store: Storage, search: Search) -> None:
    asked = say(store, "旧的疑问", visitor="phone")
    store.merge_visitors("phone", "alice")
    assert found(search, "疑问") == [asked.answer_id] and found(search, "疑问", "phone") == []


def test_an_interrupted_answer_is_found_by_what_it_had(store: Storage, search: Search) -> None:
    asked = store.answers.store_question(NewQuestion("alice", "coze", "长城", "w1"))
    store.answers.save({asked.answer_id: {"replies": ["烽火台"]}})
    store.answers.end(asked.answer_id, "interrupted", {"code": "unavailable"})
    assert found(search, "长城 烽火") == [asked.answer_id]


def test_a_search_goes_on_beyond_the_first_page(store: Storage, search: Search) -> None:
    oldest = say(store, "天涯海角")
    fill(store.engine, "alice", conversations=2, answers=PAGE // 2 + 20)
    with store.engine.begin() as db:
        # Older than all that was filled in.
        db.execute(update(Answer).where(Answer.id == oldest.answer_id).values(sequence=0))
    assert found(search, "天涯") == [oldest.answer_id]


def test_half_a_character_does_not_hide_the_rest(store: Storage, search: Search) -> None:
    say(store, "短", "半个\ud83d字符")
    assert len(found(search, "字符")) == 1
