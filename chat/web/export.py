"""A conversation to take along: as Markdown for people, as a document for programs."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from chat.answers.live import CUT
from chat.china import CHINA
from chat.storage import Answer, Conversation

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~!&$])")
_MAY_SWALLOW = re.compile(r"^ {0,3}(?:```|~~~|<)", re.MULTILINE)  # what goes on until it is closed
_END = "\ue000the end\ue000"
_LONGEST_NAME = 80
_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*]')
_DEVICES = re.compile(
    r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE
)  # Windows takes them for machines


class Phrases(NamedTuple):
    """What an exported conversation says besides what was said in it."""

    question: str
    files: str
    sources: str
    media: str
    states: dict[str, str]
    time: str
    between: str


_PHRASES = {
    "zh": Phrases(
        question="提问",
        files="文件：",
        sources="来源",
        media="媒体",
        states={
            "running": "这个回答还没有结束。",
            "stopped": "这个回答被你停止了。",
            "failed": "这个回答失败了。",
            "interrupted": "这个回答中断了，可能不完整。",
            CUT: "回答在这里被截断：它超过了本站显示的长度。",
        },
        time="%Y年%m月%d日 %H:%M（北京时间）",
        between="、",
    ),
    "en": Phrases(
        question="Question",
        files="Files: ",
        sources="Sources",
        media="Media",
        states={
            "running": "This answer has not ended yet.",
            "stopped": "You stopped this answer.",
            "failed": "This answer failed.",
            "interrupted": "This answer was interrupted and may be incomplete.",
            CUT: "The answer was cut here: it is longer than this site shows.",
        },
        time="%Y-%m-%d %H:%M (China time)",
        between=", ",
    ),
}


def as_document(
    conversation: Conversation, answers: Sequence[Answer], agent: str
) -> dict[str, Any]:
    """The conversation as JSON takes it; times are ISO 8601 in UTC. `agent` is the agent's name.

    {title, agent, created_at, updated_at, answers: [{question, files: [name], asked_at, ended_at, state,
    code, replies: [text], sources: [{title, url, text}], media: [{kind, url}]}]}
    """
    return {
        "title": conversation.title,
        "agent": agent,
        "created_at": _iso(conversation.created_at),
        "updated_at": _iso(conversation.updated_at),
        "answers": [_exchange(answer) for answer in answers],
    }


def as_markdown(
    conversation: Conversation, answers: Sequence[Answer], agent: str, language: str
) -> str:
    """The conversation to read, in "zh" or "en". `agent` is the agent's name.

    Questions are quoted, and whatever a reply leaves open is closed, so that neither breaks what follows.
    """
    phrases = _PHRASES[language]
    begun = _time(conversation.created_at, phrases)
    blocks = [f"# {_plain(conversation.title)}", f"{_plain(agent)} · {begun}"]
    for answer in answers:
        blocks += [
            f"## {phrases.question} · {_time(answer.created_at, phrases)}",
            _quoted(answer.question),
        ]
        blocks += _files(answer, phrases)
        blocks += [f"## {_plain(agent)}", *map(_closed, answer.replies)]
        if said := phrases.states.get(CUT if answer.finish_reason == CUT else answer.state):
            blocks.append(f"*{said}*")
        blocks += _listed(phrases.sources, [_source(one) for one in answer.citations])
        blocks += _listed(phrases.media, [_link(one["kind"], one["url"]) for one in answer.media])
    return "\n\n".join(block for block in blocks if block.strip()) + "\n"


def safe_filename(title: str, ending: str) -> str:
    """A file name from a title that any system takes. Its letters stay, whatever their script."""
    visible = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in title)
    name = " ".join(_NOT_IN_NAMES.sub(" ", visible).split())[:_LONGEST_NAME].strip(". ")
    if not name or _DEVICES.match(name):
        name = f"chat {name}".strip()
    return f"{name}.{ending}"


def _exchange(answer: Answer) -> dict[str, Any]:
    return {
        "question": answer.question,
        "files": _names(answer),
        "asked_at": _iso(answer.created_at),
        "ended_at": _iso(answer.ended_at),
        "state": answer.state,
        "code": answer.code,
        "replies": list(answer.replies),
        "sources": [
            {key: one.get(key) for key in ("title", "url", "text")} for one in answer.citations
        ],
        "media": [{"kind": one["kind"], "url": one["url"]} for one in answer.media],
    }


def _names(answer: Answer) -> list[str]:
    return [str(file["name"]) for file in answer.files]


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else None


def _time(at: datetime, phrases: Phrases) -> str:
    return at.astimezone(CHINA).strftime(phrases.time)


def _plain(text: str) -> str:
    """A text in one line of Markdown that means nothing but itself."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


def _files(answer: Answer, phrases: Phrases) -> Iterator[str]:
    if answer.files:
        yield phrases.files + phrases.between.join(map(_plain, _names(answer)))


def _listed(heading: str, items: list[str]) -> Iterator[str]:
    if items:
        yield f"**{heading}**"
        yield "\n".join(f"- {item}" for item in items)


def _source(citation: dict[str, Any]) -> str:
    said = _plain(citation.get("text") or "")
    return _link(citation["title"], citation.get("url")) + (f": {said}" if said else "")


def _link(title: str, url: str | None) -> str:
    """A link, when the address leads into the web and nowhere else."""
    if not url or not re.match(r"https?://", url, re.IGNORECASE):
        return _plain(f"{title} {url or ''}")
    address = re.sub(r"[\s<>\\]", lambda found: f"%{ord(found[0]):02X}", url)
    return f"[{_plain(title or url)}](<{address}>)"


def _closed(reply: str) -> str:
    """A reply behind which Markdown goes on as if it had not been there."""
    reply = reply.strip("\n")
    if not _MAY_SWALLOW.search(reply) or _is_closed(reply):
        return reply
    for closing in ("```", "~~~", "-->"):
        if _is_closed(f"{reply}\n{closing}"):
            return f"{reply}\n{closing}"
    longest = max((len(found) for found in re.findall("`+", reply)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{reply}\n{fence}"


def _is_closed(reply: str) -> bool:
    from markdown_it import MarkdownIt  # only needed by who exports

    last = MarkdownIt("commonmark").parse(f"{reply}\n\n{_END}")[-3:]
    return last[0].type == "paragraph_open" and last[0].level == 0 and last[1].content == _END
