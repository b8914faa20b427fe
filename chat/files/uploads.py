"""Files that come with questions: checked first of all, kept for a day, found by their owner."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import ColumnElement, delete, func, insert, select

from chat import file_types
from chat.agents.offered import Agent
from chat.refusals import FileRefusal, Refusal
from chat.storage import Storage
from chat.storage.deletion import FILES_KEPT
from chat.storage.models import Upload, new_id, now
from chat.storage.sqlite import StorageRefusal
from chat.visitors.rates import UPLOADS_KEPT
from providers.base import Attachment

PER_QUESTION = 10
RETRY_AFTER_S = 3600.0
MEGABYTE = 1024 * 1024
LEFT_FREE = (
    100 * MEGABYTE
)  # files of all visitors together must not take the room that questions need


class Uploads:
    """Keeps files in the database. `public_url` is where platforms may fetch them, None when they cannot."""

    def __init__(
        self, storage: Storage, secret_key: str, max_mb: float, public_url: str | None
    ) -> None:
        self._engine = storage.engine
        self._disk = storage.disk
        self._most = int(max_mb * MEGABYTE)
        self._public_url = public_url
        self._serializer = URLSafeTimedSerializer(secret_key, salt="upload")

    @property
    def most_bytes(self) -> int:
        return self._most

    def accepts(self, agent: Agent) -> tuple[str, ...]:
        """The endings of the files this agent takes here; none when there is no way to hand them over."""
        if not self._most or (agent.row.fetches and not self._public_url):
            return ()
        return agent.row.files + agent.row.images

    def keep(
        self, visitor: str, name: str, data: bytes, agent: Agent, count: Callable[[int], None]
    ) -> dict[str, object]:
        """Stores a file: {id, name, content_type, size}; `count` is told its size, and may refuse it.

        Raises Refusal bad_input, too_long, rate_limited when the visitor has too much here already, and
        unavailable when the disk is nearly full.
        """
        ending = _checked_name(name)
        if ending not in self.accepts(agent):
            raise FileRefusal("bad_input", f"a file of the kind {ending!r}", status=415)
        if not data:
            raise FileRefusal("bad_input", "an empty file")
        if len(data) > self._most:
            raise FileRefusal("too_long", f"a file of {len(data)} bytes")
        content_type = file_types.content_type(ending, data)
        if content_type is None:
            raise FileRefusal("bad_input", f"a file that is no {ending!r}", status=415)
        if self._disk.free < LEFT_FREE + len(data):
            raise StorageRefusal(
                "unavailable", "the disk is nearly full: no files", retry_after=RETRY_AFTER_S
            )
        upload = {"id": new_id(), "name": name, "content_type": content_type, "size": len(data)}
        with self._engine.begin() as db:
            # First, so that nobody else writes from here on: the sum below stays true until the insert.
            db.execute(delete(Upload).where(Upload.created_at < now() - FILES_KEPT))
            here = db.scalar(select(func.sum(Upload.size)).where(Upload.visitor == visitor)) or 0
            if here + len(data) > UPLOADS_KEPT * self._most:
                raise FileRefusal(
                    "rate_limited", f"{here} bytes are kept", retry_after=RETRY_AFTER_S
                )
            count(len(data))
            db.execute(
                insert(Upload), {**upload, "visitor": visitor, "data": data, "created_at": now()}
            )
        return upload

    def take(self, visitor: str, ids: list[str], agent: Agent) -> tuple[Attachment, ...]:
        """The visitor's files for a question. Raises Refusal not_found, bad_input."""
        if len(ids) > PER_QUESTION:
            raise Refusal("bad_input", f"{len(ids)} files")
        return tuple(self._attachment(visitor, one, agent) for one in ids)

    def kept(self) -> tuple[int, int]:
        """How many files there are, and their size in bytes."""
        columns = select(func.count(), func.coalesce(func.sum(Upload.size), 0))
        with self._engine.connect() as db:
            count, size = db.execute(columns.where(Upload.created_at >= now() - FILES_KEPT)).one()
        return count, size

    def fetch(self, key: str) -> Attachment:
        """The file that a platform asks for by its signed key. Raises Refusal not_found."""
        try:
            upload_id = self._serializer.loads(key, max_age=int(FILES_KEPT.total_seconds()))
        except BadSignature:
            raise Refusal("not_found", "a file's key") from None
        return self._found(Upload.id == str(upload_id))

    def _attachment(self, visitor: str, upload_id: str, agent: Agent) -> Attachment:
        found = self._found(Upload.id == upload_id, Upload.visitor == visitor)
        if _ending(found.name) not in self.accepts(agent):
            raise FileRefusal("bad_input", "a file for another agent", status=415)
        url = (
            f"{self._public_url}/files/{self._serializer.dumps(upload_id)}"
            if self._public_url
            else None
        )
        return replace(found, url=url)

    def _found(self, *conditions: ColumnElement[bool]) -> Attachment:
        columns = select(Upload.name, Upload.content_type, Upload.data)
        with self._engine.connect() as db:
            is_fresh = Upload.created_at >= now() - FILES_KEPT
            found = db.execute(columns.where(is_fresh, *conditions)).first()
        if found is None:
            raise Refusal("not_found", "a file that is gone, or another visitor's")
        return Attachment(found.name, found.content_type, found.data)


def _checked_name(name: str) -> str:
    """The ending of a file's name. Raises Refusal bad_input for a name that no file of a person has."""
    if (
        not name
        or len(name) > 200
        or any(char in name for char in "/\\:")
        or not name.isprintable()
    ):
        raise FileRefusal("bad_input", "a file's name")
    return _ending(name)


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.removeprefix(".").lower()
