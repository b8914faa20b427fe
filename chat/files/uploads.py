"""Files of questions: checked when they arrive, stored for a day, private to their visitor."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

from itsdangerous import BadSignature, URLSafeTimedSerializer

from chat import file_types
from chat.agents.offered import Agent
from chat.file_types import PICTURE_ENDINGS
from chat.refusals import FileRefusal, Refusal
from chat.storage import Storage
from chat.storage.engine.kinds import StorageRefusal
from chat.storage.visitors.uploads import FILES_KEPT, StoredFile
from chat.visitors.limits.bodies import FULL_DISK_RETRY_S, LEFT_FREE
from chat.visitors.limits.rates import MEGABYTE, UPLOADS_KEPT
from providers.base import Attachment

PER_QUESTION = 10
# What may come with the largest file: the question, and smaller files.
WITH_A_FILE = 16 * MEGABYTE
# Room comes as the files of the day before go.
RETRY_AFTER_S = 3600.0


class Uploads:
    """Stores files in the database.

    `public_url` is where platforms fetch them, None when they cannot.
    """

    def __init__(
        self, storage: Storage, secret_key: str, max_mb: float, public_url: str | None
    ) -> None:
        self._stored = storage.uploads
        self._disk = storage.disk
        self._most = int(max_mb * MEGABYTE)
        self._public_url = public_url
        self._serializer = URLSafeTimedSerializer(secret_key, salt="upload")

    @property
    def most_bytes(self) -> int:
        """The largest file."""
        return self._most

    @property
    def largest_form(self) -> int:
        """Bytes of the largest question by form that brings its files along."""
        return self._most + WITH_A_FILE

    def accepts(self, agent: Agent) -> tuple[str, ...]:
        """The endings of the files this agent takes; none when they cannot be handed over."""
        if not self._most or (agent.row.fetches and not self._public_url):
            return ()
        return agent.row.files + agent.row.images

    def keep(
        self, visitor: str, name: str, data: bytes, agent: Agent, count: Callable[[int], None]
    ) -> dict[str, object]:
        """Stores a file: {id, name, content_type, size}. `count` gets its size and may refuse it.

        A picture whose bytes are another kind of picture gets the ending of that kind. Raises
        Refusal bad_input, too_long, rate_limited when the visitor has too much here already, and
        unavailable when the disk is nearly full.
        """
        ending = _checked_ending(name)
        name, ending = _believe_picture(name, ending, data)
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
                "unavailable", "the disk is nearly full: no files", retry_after=FULL_DISK_RETRY_S
            )

        def check(stored_bytes: int) -> None:
            if stored_bytes + len(data) > UPLOADS_KEPT * self._most:
                raise FileRefusal(
                    "rate_limited", f"{stored_bytes} bytes are kept", retry_after=RETRY_AFTER_S
                )
            count(len(data))

        id = self._stored.add(visitor, StoredFile(name, content_type, data), check)
        return {"id": id, "name": name, "content_type": content_type, "size": len(data)}

    def take(self, visitor: str, ids: list[str], agent: Agent) -> tuple[Attachment, ...]:
        """The visitor's files for a question. Raises Refusal not_found, bad_input."""
        if len(ids) > PER_QUESTION:
            raise Refusal("bad_input", f"{len(ids)} files")
        return tuple(self._attachment(visitor, id, agent) for id in ids)

    def kept(self) -> tuple[int, int]:
        """How many files there are, and their size in bytes."""
        return self._stored.count()

    def fetch(self, key: str) -> Attachment:
        """The file that a platform asks for by its signed key. Raises Refusal not_found."""
        try:
            upload_id = self._serializer.loads(key, max_age=int(FILES_KEPT.total_seconds()))
        except BadSignature:
            raise Refusal("not_found", "a file's key") from None
        return self._find(str(upload_id))

    def _attachment(self, visitor: str, upload_id: str, agent: Agent) -> Attachment:
        attachment = self._find(upload_id, visitor)
        if _ending(attachment.name) not in self.accepts(agent):
            raise FileRefusal("bad_input", "a file for another agent", status=415)
        if not self._public_url:
            return attachment
        key = self._serializer.dumps(upload_id)
        return replace(attachment, url=f"{self._public_url}/files/{key}")

    def _find(self, upload_id: str, visitor: str | None = None) -> Attachment:
        file = self._stored.find(upload_id, visitor)
        if file is None:
            raise Refusal("not_found", "a file that is deleted, or another visitor's")
        return Attachment(file.name, file.content_type, file.data)


def _checked_ending(name: str) -> str:
    """The ending of a file's name. Raises Refusal bad_input for an impossible name."""
    has_separator = any(char in name for char in "/\\:")
    if not name or len(name) > 200 or has_separator or not name.isprintable():
        raise FileRefusal("bad_input", "a file's name")
    return _ending(name)


def _believe_picture(name: str, ending: str, data: bytes) -> tuple[str, str]:
    """The name and ending of a file; those of a picture follow its bytes.

    WeChat and browsers save a WebP as `mmexport….jpg`, and platforms go by the name.
    """
    if ending not in PICTURE_ENDINGS or file_types.content_type(ending, data):
        return name, ending
    true_ending = file_types.picture_ending(data)
    if true_ending is None:
        return name, ending
    return str(PurePosixPath(name).with_suffix(f".{true_ending}")), true_ending


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.removeprefix(".").lower()
