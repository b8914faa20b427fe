"""The database: its tables by subject, opened for a site by `connect`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, select

from chat.china import CHINA
from chat.settings.errors import SettingsError
from chat.settings.model import Settings
from chat.storage.answers import Answers, NewQuestion, StoredQuestion
from chat.storage.conversations import Conversations
from chat.storage.days import Days
from chat.storage.deletion import Deletion
from chat.storage.drawings import Drawings
from chat.storage.endings import Endings
from chat.storage.engine import kinds
from chat.storage.engine.disk import DatabaseDisk
from chat.storage.models import Answer, Conversation, now
from chat.storage.owner.agents import OwnerAgents
from chat.storage.owner.blocks import StoredBlocks
from chat.storage.owner.files import OwnerFiles
from chat.storage.owner.log import OwnerLog
from chat.storage.owner.notices import Notices
from chat.storage.owner.outcomes import Outcomes
from chat.storage.owner.reading import OwnerReading
from chat.storage.owner.sessions import StoredOwnerSessions
from chat.storage.owner.values import OwnerValues
from chat.storage.ratings import Ratings
from chat.storage.search.scan import Search
from chat.storage.secrets import Secrets
from chat.storage.shares import Shares
from chat.storage.visitors.merging import merge_visitors
from chat.storage.visitors.moves import Moves
from chat.storage.visitors.sessions import StoredSessions
from chat.storage.visitors.uploads import StoredUploads
from chat.storage.workers import Workers


@dataclass
class Storage:
    """The tables of one database, each under its subject."""

    engine: Engine
    # How many write at once without one waiting for another.
    writers: int
    disk: DatabaseDisk
    answers: Answers
    ratings: Ratings
    owner_reading: OwnerReading
    conversations: Conversations
    shares: Shares
    drawings: Drawings
    days: Days
    outcomes: Outcomes
    workers: Workers
    uploads: StoredUploads
    sessions: StoredSessions
    moves: Moves
    secrets: Secrets
    search: Search
    deletion: Deletion
    blocks: StoredBlocks
    endings: Endings
    notices: Notices
    owner_log: OwnerLog
    owner_agents: OwnerAgents
    owner_values: OwnerValues
    owner_files: OwnerFiles
    owner_sessions: StoredOwnerSessions

    @classmethod
    def on(
        cls, engine: Engine, clock: Callable[[], datetime] = now, zone: tzinfo = CHINA
    ) -> "Storage":
        """All subjects on one engine. `clock` says what time it is, and never what comes later;
        `zone` says which day that is.
        """
        kind = kinds.kind_of(engine)
        conversations = Conversations(engine, clock)
        return cls(
            engine=engine,
            writers=kind.WRITERS,
            disk=kind.disk(engine),
            answers=Answers(engine, clock, zone),
            ratings=Ratings(engine, clock),
            owner_reading=OwnerReading(engine),
            conversations=conversations,
            shares=Shares(engine, conversations),
            drawings=Drawings(engine),
            days=Days(engine),
            outcomes=Outcomes(engine),
            workers=Workers(engine),
            uploads=StoredUploads(engine, clock),
            sessions=StoredSessions(engine),
            moves=Moves(engine),
            secrets=Secrets(engine),
            search=Search(engine),
            deletion=Deletion(engine, clock),
            blocks=StoredBlocks(engine),
            endings=Endings(engine),
            notices=Notices(engine),
            owner_log=OwnerLog(engine),
            owner_agents=OwnerAgents(engine),
            owner_values=OwnerValues(engine),
            owner_files=OwnerFiles(engine),
            owner_sessions=StoredOwnerSessions(engine),
        )

    def ping(self) -> None:
        """Raises StorageError when the database does not answer."""
        with self.engine.connect() as db:
            db.execute(select(1))

    def merge_visitors(self, visitor_from: str, visitor_to: str) -> None:
        """Gives all conversations and files of one visitor to the other."""
        merge_visitors(self.engine, visitor_from, visitor_to)

    def close(self) -> None:
        """Closes all connections; the next query opens new ones."""
        self.engine.dispose()

    def forget_connections(self) -> None:
        """Leaves the connections from before a fork to the parent, whose they are."""
        self.engine.dispose(close=False)


def connect(settings: Settings) -> Storage:
    """The storage of this site, its tables made or brought up to date.

    Raises SettingsError, one line.
    """
    url = kinds.parse(settings.database_url)
    kind = kinds.kind_of(url)
    kind.prepare(url)
    engine = kind.open_engine(url)
    # Alembic is large: it is imported only when there is work for it.
    from chat.storage import migrations

    zone = ZoneInfo(settings.time_zone)
    migrations.bring_up_to_date(engine, zone)
    # No connection must be carried into a worker.
    engine.dispose()
    kind.guard(engine)
    return Storage.on(engine, zone=zone)


def open_existing(settings: Settings) -> Storage:
    """The storage of this site as it is: nothing is made. Its queries raise StorageError."""
    try:
        url = kinds.parse(settings.database_url)
    except SettingsError:
        # There is none at such an address, and whoever looks at it says so.
        url = kinds.parse("sqlite:///none")
    return Storage.on(kinds.kind_of(url).open_existing(url))


def file_of(settings: Settings) -> Path | None:
    """The file of the database; None when DATABASE_URL names none."""
    return kinds.file_of(settings.database_url)


__all__ = [
    "Answer",
    "Conversation",
    "NewQuestion",
    "Storage",
    "StoredQuestion",
    "connect",
    "file_of",
]
