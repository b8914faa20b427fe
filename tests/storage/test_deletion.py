"""Old conversations and whole visitors are deleted, in small steps, without a trace."""

import re
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from chat.storage import NewQuestion, Storage
from chat.storage import deletion as forgetting
from chat.storage.models import Base, Conversation, Upload, now
from chat.visitors.devices import Devices
from chat.visitors.guessing import Guessing
from tests.kit.emulator import Emulator, coze
from tests.kit.filling import fill
from tests.kit.patience import eventually, soon
from tests.kit.site import Site, Visitor
from tests.storage.acting import ask, command, end, everything, only_sqlite, refused, say

DATABASE = "instance/chat.db"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "en"}


def database_of(site: Site) -> Path:
    return site.folder / "instance" / "chat.db"


def test_old_conversations_are_deleted_in_small_steps_and_running_ones_never(
    store: Storage,
) -> None:
    old = fill(store.engine, "rich", conversations=60, answers=5, apart_s=86_400)
    running = store.answers.store_question(
        NewQuestion("rich", "coze", "still going", "w1", conversation_id=old[0])
    )
    assert store.conversations.rename("rich", old[1], "renamed but not gone on with")
    say_more = store.answers.store_question(
        NewQuestion("rich", "coze", "gone on with", "w1", conversation_id=old[2])
    )
    store.answers.end(say_more.answer_id, "done", {})
    long_ago = now() - timedelta(days=200)
    with store.engine.begin() as db:
        db.execute(
            update(Conversation).where(Conversation.id == old[0]).values(updated_at=long_ago)
        )
    store.deletion.expire(30)
    steps = 0
    while store.deletion.step():
        steps += 1
        assert steps < 2000
    assert steps >= 250 / forgetting.BATCH, "in many transactions"
    with store.engine.connect() as db:
        assert set(db.scalars(select(Conversation.id))) == {old[0], old[2], *old[54:]}
    assert store.conversations.is_answering(old[0])
    store.answers.end(running.answer_id, "done", {})


def test_one_conversation_is_deleted_for_good_with_its_answers_and_link(store: Storage) -> None:
    first = say(store, "alice", "gone", "gone")
    others = [say(store, "alice", "stays", "stays"), say(store, "bob", "stays", "stays")]
    token = store.shares.create("alice", first).token
    assert store.deletion.delete_conversation(first) == 1
    assert refused(lambda: store.shares.resolve(token)) == "not_found"
    assert refused(lambda: store.conversations.restore("alice", first)) == "not_found"
    assert refused(lambda: store.deletion.delete_conversation(first)) == "not_found"
    left = [*store.conversations.of("alice", 5), *store.conversations.of("bob", 5)]
    assert [conversation.id for conversation in left] == others


def test_a_conversation_that_is_answering_is_not_deleted(store: Storage) -> None:
    asked = ask(store)
    assert refused(lambda: store.deletion.delete_conversation(asked.conversation_id)) == "busy"
    end(store, asked, "hello")
    assert store.answers.get("alice", asked.answer_id).replies == ["hello"]


def test_nobody_waits_while_much_is_deleted(store: Storage) -> None:
    fill(store.engine, "rich", conversations=100, answers=20, apart_s=86_400)
    longest = 0.0
    store.deletion.expire(30)
    deleting = threading.Thread(target=store.deletion.finish)
    deleting.start()
    while deleting.is_alive():
        began = time.monotonic()
        say(store, "alice", "hello", "you")
        longest = max(longest, time.monotonic() - began)
    assert longest < soon(2), longest
    assert len(store.conversations.of("rich", 100)) == 2


def test_a_site_says_how_long_it_keeps_conversations(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    page = (
        Visitor(start_site(**coze(emulator), KEEP_DAYS=30).url)
        .get("/conversations", headers=HTML)
        .text
    )
    assert "Conversations are kept for 30 days" in page
    page = Visitor(start_site(**coze(emulator)).url).get("/conversations", headers=HTML).text
    assert "Conversations are kept" not in page


def test_every_table_that_says_whose_its_rows_are_is_known() -> None:
    told = {name for name, table in Base.metadata.tables.items() if "visitor" in table.c}
    assert told == set(forgetting.OF_A_VISITOR)


@only_sqlite
@pytest.mark.parametrize("named", ["visitor", "conversation", "path", "address"])
def test_a_forgotten_visitor_leaves_nothing_in_the_file(
    store: Storage, tmp_path: Path, named: str
) -> None:
    database = tmp_path / "instance" / "chat.db"
    words = ["quetzalword", "axolotlword", "okapiword", "narwhalword"]
    for number in range(20):
        kept = say(store, "bob", f"platypusword {number}", "wombatword " * 300)
        gone = say(store, "alice-the-visitor", f"quetzalword {number}", "axolotlword " * 400)
    share = store.shares.create("alice-the-visitor", gone)
    with store.engine.begin() as db:
        file = {"id": "f", "name": "okapiword.txt", "content_type": "text/plain", "size": 5000}
        data = b"narwhalword" * 500
        db.execute(
            insert(Upload),
            {**file, "visitor": "alice-the-visitor", "data": data, "created_at": now()},
        )
    Devices(store.moves, "a key of this test", Guessing()).begin("alice-the-visitor")
    search = store.search
    assert search.find("alice-the-visitor", "axolotlword") and search.find("bob", "wombatword")
    held = everything(database)
    assert all(word.encode() in held for word in words), "the test looks in the right place"

    names = {
        "visitor": "alice-the-visitor",
        "conversation": gone,
        "path": f"/c/{gone}",
        "address": f"https://chat.example.com/c/{gone}?at=1",
    }
    code, said = command(tmp_path, "forget", names[named])
    assert (
        code == 0 and "conversations 20" in said and "share links 1" in said and "uploads 1" in said
    ), said
    store.close()
    left = everything(database)
    for word in [*words, "alice-the-visitor", share.token, gone]:
        assert word.encode() not in left, word
    assert search.find("bob", "wombatword") and store.conversations.get("bob", kept)
    assert command(tmp_path, "forget", names[named])[0] == 2, "there is nobody any more"


def test_a_visitor_deletes_everything_without_javascript(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator))
    alice, bob = Visitor(site.url), Visitor(site.url)
    assert bob.ask("bob stays").ok and alice.ask("quetzalword one").ok
    first = alice.conversation
    assert "quetzalword" in alice.get("/search?q=quetzalword").text
    alice.conversation = None
    hearing = alice.hear("axolotlword !pieces 200 100")
    while next(hearing).name != "delta":
        pass
    page = alice.get("/conversations", headers=HTML).text
    form = page[page.index('action="/forget"') :]
    assert re.search(r'<input type="checkbox" name="sure" value="yes" required', form)
    before = alice.session.cookies["visitor"]
    refused = alice.post("/forget")
    assert refused.status_code == 400 and alice.get(f"/c/{first}").ok, "not by chance"
    done = alice.post("/forget", data={"sure": "yes"}, headers=HTML)
    assert (
        done.ok
        and done.url.startswith(f"{site.url}/conversations")
        and "Everything was deleted" in done.text
    )
    assert alice.session.cookies["visitor"] != before
    assert list(hearing)[-1].data["finish_reason"] == "stopped", "live answers end first"
    assert alice.get(f"/c/{first}").status_code == 404
    alice.session.cookies.set("visitor", before)
    assert alice.get(f"/c/{first}").status_code == 404, "nor with the old cookie"
    assert "bob stays" in bob.get(f"/c/{bob.conversation}").text
    words = (b"quetzalword", b"axolotlword")
    assert eventually(lambda: not any(word in everything(database_of(site)) for word in words), 20)


def test_a_program_forgets_as_well(emulator: Emulator, start_site: Callable[..., Site]) -> None:
    site = start_site(**coze(emulator))
    alice = Visitor(site.url)
    assert alice.ask("hello").ok
    done = alice.post("/forget", data={"sure": "yes"})
    assert done.status_code == 204 and '"storage"' in done.headers["Clear-Site-Data"]
    assert alice.get(f"/c/{alice.conversation}").status_code == 404
