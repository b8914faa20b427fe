"""The export of a conversation: Markdown for people, a document for programs."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from flask_babel import lazy_gettext as _
from flask_babel import lazy_pgettext as pgettext

from chat.answers.live import CUT
from chat.china import CHINA
from chat.storage import Answer, Conversation
from chat.storage.content import Content
from chat.storage.titles import cut

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~!&$])")
# What goes on until it is closed.
_MAY_SWALLOW = re.compile(r"^ {0,3}(?:```|~~~|<)", re.MULTILINE)
_END = "\ue000the end\ue000"
_LONGEST_NAME = 80
_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*]')
# Windows takes these names for machines.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
_ENDINGS = {
    "running": pgettext("export", "This answer has not ended yet."),
    "stopped": pgettext("export", "You stopped this answer."),
    "failed": pgettext("export", "This answer failed."),
    "interrupted": pgettext("export", "This answer was interrupted and may be incomplete."),
    CUT: pgettext("export", "The answer was cut here: it is longer than this site shows."),
}
_KINDS = {"image": _("Image"), "video": _("Video"), "audio": _("Audio"), "file": _("File")}
_RATINGS = {
    "up": pgettext("export", "You found this answer useful."),
    "down": pgettext("export", "You did not find this answer useful."),
}


def as_document(
    conversation: Conversation, answers: Sequence[Answer], agent: str
) -> dict[str, Any]:
    """The conversation as JSON takes it; times are ISO 8601 in UTC. `agent` is the agent's name.

    {title, agent, created_at, updated_at, answers: [{question, files: [name], asked_at, ended_at,
    state, code, replies: [text], sources: [{title, url, text}], media: [{kind, url}],
    rating, rating_reason}]}
    """
    return {
        "title": conversation.title,
        "agent": agent,
        "created_at": _iso(conversation.created_at),
        "updated_at": _iso(conversation.updated_at),
        "answers": [_exchange(answer) for answer in answers],
    }


def as_markdown(conversation: Conversation, answers: Sequence[Answer], agent: str) -> str:
    """The conversation to read, in the language of the request. `agent` is the agent's name.

    Questions are quoted, and whatever a reply leaves open is closed, so that neither breaks what
    follows.
    """
    heading = f"{_plain(agent)} · {_time(conversation.created_at)}"
    blocks = [f"# {_plain(conversation.title)}", heading]
    for answer in answers:
        blocks += _question(answer)
        blocks.append(f"## {_plain(agent)}")
        blocks += _answer(answer)
    return "\n\n".join(block for block in blocks if block.strip()) + "\n"


def safe_filename(title: str, ending: str) -> str:
    """A file name that every system takes, made from a title; letters of any script stay."""
    visible = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in title)
    name = cut(" ".join(_NOT_IN_NAMES.sub(" ", visible).split()), _LONGEST_NAME).strip(". ")
    if not name or _DEVICES.match(name):
        name = f"chat {name}".strip()
    return f"{name}.{ending}"


def _exchange(answer: Answer) -> dict[str, Any]:
    content = Content.of(answer)
    return {
        "question": answer.question,
        "files": _names(answer),
        "asked_at": _iso(answer.created_at),
        "ended_at": _iso(answer.ended_at),
        "state": answer.state,
        "code": answer.code,
        "replies": content.replies,
        "sources": [
            {key: citation.get(key) for key in ("title", "url", "text")}
            for citation in content.citations
        ],
        "media": [{"kind": medium["kind"], "url": medium["url"]} for medium in content.media],
        "rating": answer.rating,
        "rating_reason": answer.rating_reason,
    }


def _names(answer: Answer) -> list[str]:
    return [str(file["name"]) for file in answer.files]


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else None


def _time(at: datetime) -> str:
    """A moment by the clock in China, wherever the reader is: a file is kept for long."""
    china = at.astimezone(CHINA)
    return str(
        pgettext(
            "export",
            "%(year)s-%(month)s-%(day)s %(clock)s (China time)",
            year=f"{china:%Y}",
            month=f"{china:%m}",
            day=f"{china:%d}",
            clock=f"{china:%H:%M}",
        )
    )


def _question(answer: Answer) -> Iterator[str]:
    heading = pgettext("export", "Question")
    yield f"## {heading} · {_time(answer.created_at)}"
    yield _quoted(answer.question)
    if answer.files:
        between = str(pgettext("between names", ", "))
        names = between.join(_plain(name) for name in _names(answer))
        yield str(pgettext("export", "Files: %(names)s", names=names))


def _answer(answer: Answer) -> Iterator[str]:
    content = Content.of(answer)
    yield from map(_closed, content.replies)
    ending = _ENDINGS.get(CUT if answer.finish_reason == CUT else answer.state)
    if ending:
        yield f"*{ending}*"
    sources = [_source(citation) for citation in content.citations]
    yield from _listed(str(pgettext("export", "Sources")), sources)
    links = [_link(str(_KINDS[medium["kind"]]), medium["url"]) for medium in content.media]
    yield from _listed(str(pgettext("export", "Media")), links)
    if answer.rating:
        reason = _plain(answer.rating_reason or "")
        yield f"*{_RATINGS[answer.rating]}*" + (f" {reason}" if reason else "")


def _plain(text: str) -> str:
    """A text as one line of Markdown in which no character is markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


def _listed(heading: str, items: list[str]) -> Iterator[str]:
    if items:
        yield f"**{heading}**"
        yield "\n".join(f"- {item}" for item in items)


def _source(citation: dict[str, Any]) -> str:
    excerpt = _plain(citation.get("text") or "")
    return _link(citation["title"], citation.get("url")) + (f": {excerpt}" if excerpt else "")


def _link(title: str, url: str | None) -> str:
    """A link, when the address leads into the web and nowhere else."""
    if not url or not re.match(r"https?://", url, re.IGNORECASE):
        return _plain(f"{title} {url or ''}")
    address = re.sub(r"[\s<>\\]", lambda match: f"%{ord(match[0]):02X}", url)
    return f"[{_plain(title or url)}](<{address}>)"


def _closed(reply: str) -> str:
    """The reply, with a closing mark where it left something open."""
    reply = reply.strip("\n")
    if not _MAY_SWALLOW.search(reply) or _is_closed(reply):
        return reply
    for closing in ("```", "~~~", "-->"):
        if _is_closed(f"{reply}\n{closing}"):
            return f"{reply}\n{closing}"
    longest = max(map(len, re.findall("`+", reply)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{reply}\n{fence}"


def _is_closed(reply: str) -> bool:
    # Imported here: only an export needs it.
    from markdown_it import MarkdownIt

    last = MarkdownIt("commonmark").parse(f"{reply}\n\n{_END}")[-3:]
    return last[0].type == "paragraph_open" and last[0].level == 0 and last[1].content == _END
