"""The backup to download: all of one moment, while the site goes on."""

import os
import threading
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import BinaryIO

from flask import Blueprint, Response
from flask_babel import gettext as _

from chat.offload import beside_others
from chat.owner.command_line import server_address
from chat.owner.words import say
from chat.refusals import Refusal
from chat.release import PROGRAM
from chat.storage import file_of
from chat.storage.copies import backup
from chat.storage.copies.backup import BackupError
from chat.visitors.limits.rates import MEGABYTE
from chat.web import services
from chat.web.desk import frame
from chat.web.frame.language import language

bp = Blueprint("backup", __name__)

CHUNK = 64 * 1024
# So much stays free for the site while a copy lies on the disk.
MARGIN_MB = 64
RESTORE = f"{PROGRAM} restore zhiye.db"
# Clicked often, copies would fill the disk.
_alone = threading.Lock()


@bp.get("/backup")
def show() -> Response:
    """What a backup is, and the button for it."""
    return _page()


@bp.post("/backup")
def download() -> Response:
    """The database as a file: a copy without a name, gone when it has been sent."""
    if file_of(services().settings) is None:
        raise Refusal("bad_input", "PostgreSQL is copied by its own tool")
    if not _alone.acquire(blocking=False):
        return _page(_("Another backup is being made. Try again in a moment."), 409)
    try:
        return _copied()
    except BackupError as error:
        return _page(say(error.kind, language(), **error.facts), 409)
    finally:
        _alone.release()


def _copied() -> Response:
    storage, path = services().storage, file_of(services().settings)
    assert path is not None
    if storage.disk.free < storage.disk.size + MARGIN_MB * MEGABYTE:
        return _page(_("There is not enough room on the disk for a copy. Make room first."), 409)
    file, conversations = beside_others(partial(backup.open_copy, path))
    storage.owner_log.add("backup", conversations=conversations)
    response = Response(_chunks(file), content_type="application/vnd.sqlite3")
    response.call_on_close(file.close)
    response.content_length = os.fstat(file.fileno()).st_size
    name = f"zhiye-{datetime.now():%Y%m%d-%H%M}.db"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _page(problem: str | None = None, status: int = 200) -> Response:
    settings = services().settings
    by_hand = None
    if file_of(settings) is None:
        address = server_address(settings.database_url)
        by_hand = say("use_pg_dump", language(), file="zhiye.dump", address=address)
    size = services().storage.disk.size / MEGABYTE
    facts = {"by_hand": by_hand, "size": size, "command": RESTORE}
    return frame.page("backup.html", status, problem=problem, **facts)
