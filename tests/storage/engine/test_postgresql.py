"""What PostgreSQL does in its own way: its texts, its clock and locks, and while it is away."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from chat import storage
from chat.refusals import Refusal
from chat.settings.errors import SettingsError
from chat.settings.model import Settings
from chat.storage import Storage
from chat.storage.engine import kinds
from chat.storage.models import now
from chat.storage.visitors.uploads import StoredFile
from tests.kit.patience import eventually
from tests.kit.servers.postgresql import (
    PASSWORD,
    Databases,
    PostgresqlServer,
    postgresql_server,
)
from tests.kit.site import hold_port
from tests.storage.acting import Database, ask, end, refused, together

NEVER_TEXT = ["a\x00b", "\ud83d", "\x00", "a\udc00\x00"]


@pytest.fixture
def database(postgresql: Databases, tmp_path: object) -> Iterator[Database]:
    """Servers only."""
    lent = Database(tmp_path, postgresql)  # type: ignore[arg-type]
    yield lent
    lent.give_back()


@pytest.mark.parametrize("spelling", ["postgres", "postgresql", "postgresql+psycopg"])
def test_an_address_is_taken_as_it_is_pasted(spelling: str) -> None:
    url = kinds.parse(f" {spelling}://zhiye:secret@db.example.com:5433/chat\n")
    assert url.drivername == "postgresql+psycopg"
    assert kinds.place_of(url) == "zhiye@db.example.com:5433/chat"


@pytest.mark.parametrize("password", ["p@ss", "p:ss", "p/ss", "p:4/5@6", "12/ss"])
def test_no_part_of_a_password_that_is_not_escaped_is_repeated(password: str) -> None:
    try:
        url = kinds.parse(f"postgresql://zhiye:{password}@127.0.0.1:5432/chat")
    except SettingsError as error:
        assert "%40" in str(error) and password not in str(error)
    else:
        assert kinds.place_of(url) == "zhiye@127.0.0.1:5432/chat"


def test_a_database_in_memory_is_refused() -> None:
    with pytest.raises(SettingsError, match="sqlite:///path"):
        kinds.parse("sqlite:///:memory:")


def test_what_each_question_asks_of_the_server_is_prepared_once(store: Storage) -> None:
    for number in range(12):
        asked = ask(store, f"question {number}")
        store.answers.note_accepted(asked, "thread", "chat", None)
        end(store, asked, "answer")
        store.answers.get("alice", asked.answer_id)
    with store.engine.connect() as db:
        prepared = db.scalars(text("SELECT statement FROM pg_prepared_statements")).all()
    for words in ("INSERT INTO conv", "INSERT INTO answers", "UPDATE answers SET thread", "SELECT"):
        assert any(statement.startswith(words) for statement in prepared), words


@pytest.mark.parametrize("words", NEVER_TEXT, ids=ascii)
def test_what_is_no_text_here_can_be_stored_and_looked_for_anywhere(
    store: Storage, words: str
) -> None:
    asked = ask(store, words)
    store.answers.note_accepted(asked, words, words * 1000, words)
    store.answers.save({asked.answer_id: {"replies": [words], "thoughts": words}})
    end(store, asked, words, finish_reason=words * 100)
    answer = store.answers.get("alice", asked.answer_id)
    assert answer.replies == [words] and "\ufffd" in answer.question
    assert store.search.find(words, words) == []
    assert refused(lambda: store.conversations.get("alice", words)) == "not_found"
    assert refused(lambda: store.shares.resolve(words)) == "not_found"
    assert store.deletion.visitor_of(words) is None
    store.uploads.add("alice", StoredFile(words, words, b"\x00"), lambda size: None)
    assert store.conversations.rename("alice", asked.conversation_id, f"{words}x")


def test_numbers_go_on_after_those_of_rows_that_were_brought(store: Storage) -> None:
    with store.engine.begin() as db:
        db.execute(
            text(
                "INSERT INTO conversations (id, visitor, agent, sequence, title, created_at, "
                "updated_at) VALUES ('c', 'alice', 'coze', 41, 't', now(), now())"
            )
        )
        kinds.kind_of(db).restart_numbers(db)
    asked = ask(store)
    assert store.conversations.get("alice", asked.conversation_id).sequence == 42
    end(store, asked)
    again = ask(store, conversation=asked.conversation_id)
    tree = store.conversations.tree(asked.conversation_id)
    assert list(tree.parents) == [asked.answer_id, again.answer_id]


def test_files_sent_at_once_are_counted_one_after_another(store: Storage) -> None:
    def check(size: int) -> None:
        if size >= 30:
            raise Refusal("rate_limited", "three files")

    def send(number: int) -> str:
        return store.uploads.add("alice", StoredFile("f", "text/plain", b"x" * 10), check)

    results = together(send, 8)
    assert len([one for one in results if isinstance(one, str)]) == 3, results


def test_of_two_who_write_the_same_both_succeed(store: Storage) -> None:
    assert together(lambda n: store.secrets.put("token", b"x"), 8) == [None] * 8
    assert sorted(map(str, together(lambda n: store.blocks.add("192.0.2.0/24"), 8))) == [
        *["False"] * 7,
        "True",
    ]
    asked = ask(store)
    drawing = storage.drawings.StoredDrawing("1", ["<p>"])
    assert together(lambda n: store.drawings.put({asked.answer_id: drawing}), 8) == [None] * 8


def test_the_owners_log_is_read_in_the_order_of_its_numbers(store: Storage) -> None:
    """Whoever has seen a version of the log has seen all that was done before."""
    versions: list[int] = []

    def note(number: int) -> None:
        store.owner_log.add("block", number=number)
        version = store.owner_log.version()
        versions.append(version - len([row for row in store.owner_log.all() if row.id <= version]))

    together(note, 8)
    assert versions == [0] * 8


def test_a_conversation_is_not_deleted_while_it_is_asked(store: Storage) -> None:
    asked = ask(store)
    end(store, asked)

    def act(number: int) -> str:
        if number:
            store.conversations.delete("alice", asked.conversation_id)
            return "deleted"
        return ask(store, conversation=asked.conversation_id).answer_id

    for _ in range(5):
        results = together(act, 2)
        is_deleted = store.conversations.deleted("alice", asked.conversation_id) is not None
        is_asked = store.conversations.is_answering(asked.conversation_id)
        assert is_deleted != is_asked, results
        if is_deleted:
            store.conversations.restore("alice", asked.conversation_id)
        for id in store.conversations.live_answers(asked.conversation_id):
            store.answers.end(id, "done", {})


def test_signs_of_life_are_of_the_servers_clock(store: Storage) -> None:
    astray = store.workers.now(lambda: now() + timedelta(days=3))
    assert abs(astray - now()) < timedelta(minutes=1)


def test_deleted_rows_leave_room_for_the_next(store: Storage) -> None:
    def size() -> int:
        with store.engine.connect() as db:
            return int(db.scalar(text("SELECT pg_total_relation_size('answers')")) or 0)

    sizes = []
    for _ in range(4):
        for _ in range(20):
            asked = ask(store, "words " * 2000)
            end(store, asked, *["more words " * 3000] * 3)
        assert store.deletion.forget("alice")["answers"] == 20
        assert store.deletion.finish(20)
        sizes.append(size())
    assert sizes[-1] <= sizes[0] * 1.5, sizes


def test_an_error_of_the_database_does_not_repeat_the_question(postgresql: Databases) -> None:
    address = postgresql.server.create("without_answers")
    store = storage.connect(Settings(database_url=address))
    with store.engine.begin() as db:
        db.exec_driver_sql("DROP TABLE answers CASCADE")
    with pytest.raises(SQLAlchemyError, match="answers") as raised:
        ask(store, "a confession")
    store.close()
    assert "a confession" not in str(raised.value)
    assert kinds.lacks_tables(raised.value) and not kinds.is_trouble(raised.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"database": "nowhere"}, "does not exist"),
        ({"password": "a wrong one"}, "password authentication failed"),
    ],
    ids=str,
)
def test_a_server_that_cannot_be_used_is_named_in_one_line(
    postgresql: Databases, change: dict[str, object], reason: str
) -> None:
    url = kinds.parse(postgresql.server.address("postgres")).set(**change)  # type: ignore[arg-type]
    address = url.render_as_string(hide_password=False)
    with pytest.raises(SettingsError) as raised:
        storage.connect(Settings(database_url=address))
    for said in (raised.value.say("en"), raised.value.say("zh")):
        assert said.startswith("DATABASE_URL") and reason in said and "\n" not in said
        assert PASSWORD not in said and "a wrong one" not in said


def test_a_server_that_does_not_listen_is_named_in_one_line() -> None:
    with closing(hold_port()) as held, pytest.raises(SettingsError) as raised:
        address = f"postgres://zhiye:a-secret@127.0.0.1:{held.getsockname()[1]}/chat"
        storage.connect(Settings(database_url=address))
    said = str(raised.value)
    assert "zhiye@127.0.0.1" in said and "efused" in said
    assert "a-secret" not in said and "\n" not in said


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    """One that a test may stop, and starts again."""
    own = postgresql_server()
    yield own.start()
    own.end()


def test_a_server_that_was_away_is_used_again_without_a_restart_of_ours(
    server: PostgresqlServer,
) -> None:
    store = storage.connect(Settings(database_url=server.create("restarted")))
    asked = ask(store, "before")
    together(lambda n: store.ping(), 5)
    for end_it in (server.stop, server.crash):
        end_it()
        for act in (
            lambda: ask(store, "meanwhile"),
            store.ping,
            lambda: store.search.find("a", "b"),
        ):
            with pytest.raises(SQLAlchemyError) as raised:
                act()
            assert kinds.is_trouble(raised.value), raised.value
        with pytest.raises(kinds.StorageRefusal) as refusal, kinds.only_if_stored():
            ask(store, "meanwhile")
        assert refusal.value.code == "unavailable" and refusal.value.retry_after
        server.start()
        # Not even the first question after it fails.
        together(lambda n: store.ping(), 5)
        ask(store, "after")
    # The connections are idle while the server is restarted, and nobody notices.
    server.stop()
    server.start()
    assert together(lambda n: store.ping(), 5) == [None] * 5
    assert store.answers.get("alice", asked.answer_id).question == "before"
    store.close()


def test_a_server_that_shuts_down_in_mid_transaction_is_trouble(server: PostgresqlServer) -> None:
    store = storage.connect(Settings(database_url=server.create("ended")))
    errors: list[Exception] = []
    has_begun = threading.Event()

    def work() -> None:
        try:
            with store.engine.begin() as db:
                db.execute(text("SELECT 1"))
                has_begun.set()
                db.execute(text("SELECT pg_sleep(60)"))
        except SQLAlchemyError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert has_begun.wait(10)
    time.sleep(0.05)
    server.stop()
    thread.join(20)
    assert len(errors) == 1 and kinds.is_trouble(errors[0]), errors
    server.start()
    assert eventually(lambda: not together(lambda n: store.ping(), 3)[0])
    store.close()
