"""The HTML of answers on a page: stored where it can be, drawn where it has to be."""

import zlib
from collections.abc import Sequence

from chat.agents.offered import Agent
from chat.offload import give_way
from chat.page.rendering import VERSION, render_blocks
from chat.storage import Answer
from chat.storage.drawings import StoredDrawing
from chat.storage.engine.kinds import StorageError
from chat.storage.models import RUNNING
from chat.web import services

# Less text is drawn faster than it is looked up.
_MIN_CHARS = 500
# After so much has been drawn, a page lets others have their turn. After each short answer, it
# would wait longer than it works.
_TURN_CHARS = 4000


def blocks_of(answers: Sequence[Answer], agent: Agent | None) -> dict[str, list[str]]:
    """The blocks of each answer of an agent, by its id; a former agent's pictures are links."""
    pictures = services().pictures
    picture = pictures.addresses(agent) if agent else None
    edition = pictures.edition(agent) if agent else ""
    drawings = services().storage.drawings
    lasting = [answer.id for answer in answers if _is_lasting(answer)]
    stored = drawings.find(lasting) if lasting else {}
    blocks: dict[str, list[str]] = {}
    fresh: dict[str, StoredDrawing] = {}
    drawn = 0
    for answer in answers:
        drawing = stored.get(answer.id)
        version = _version(answer, edition)
        if drawing is None or drawing.version != version:
            drawing = StoredDrawing(version, render_blocks(answer.replies, picture, answer.id))
            if answer.id in lasting:
                fresh[answer.id] = drawing
            drawn += _length(answer)
        if drawn > _TURN_CHARS:
            drawn = 0
            give_way()
        blocks[answer.id] = drawing.blocks
    _store(fresh)
    return blocks


def _is_lasting(answer: Answer) -> bool:
    """Whether the HTML is worth storing."""
    return answer.state != RUNNING and _length(answer) >= _MIN_CHARS


def _length(answer: Answer) -> int:
    return sum(len(reply) for reply in answer.replies)


def _version(answer: Answer, edition: str) -> str:
    """Names the renderer and the text, and where there are pictures the edition of those."""
    digest = 0
    for reply in answer.replies:
        digest = zlib.crc32(reply.encode("utf-8", "replace") + b"\0", digest)
    has_picture = any("![" in reply for reply in answer.replies)
    return f"{VERSION}-{digest:x}" + (f"-{edition}" if has_picture else "")


def _store(drawings: dict[str, StoredDrawing]) -> None:
    if not drawings:
        return
    try:
        services().storage.drawings.put(drawings)
    except StorageError:
        # A full disk has no room for a cache; the page is drawn all the same.
        return
