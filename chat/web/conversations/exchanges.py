"""What a page shows of each exchange, a question with its answer, on a branch of a conversation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from markupsafe import Markup

from chat.answers.live import CUT
from chat.refusals import Refusal
from chat.storage import Answer, Conversation
from chat.storage.content import Content
from chat.storage.conversations import Tree
from chat.storage.models import now
from chat.web import errors, services
from chat.web.answers.ended_answers import blocks_of
from chat.web.answers.events import picture_field

# On one page; the rest is behind a link.
EXCHANGES = 20


@dataclass(frozen=True)
class ShownExchange:
    """A question and its answer as a page shows them; `versions` are the ids of all versions of
    this turn, `age` is how many seconds ago it was asked, `seconds` how many its answer took."""

    id: str
    question: str
    files: list[dict[str, Any]]
    state: str
    html: Markup
    content: Content
    problem: str | None
    code: str | None
    is_cut: bool
    asked_at: datetime
    seconds: float | None
    age: int
    versions: list[str]
    is_forgotten: bool
    rating: str | None
    rating_reason: str | None


@dataclass(frozen=True)
class BranchPage:
    """A part of the branch that ends with `leaf`. Exchanges before the id `earlier` are left out.

    `after` is the answer that a question follows when the branch is not the newest.
    """

    exchanges: list[ShownExchange]
    earlier: str | None = None
    is_end: bool = True
    after: str | None = None
    leaf: str | None = None


def branch_page(
    conversation: Conversation, tree: Tree, ids: Sequence[str], before: str | None
) -> BranchPage:
    """The last exchanges of a branch, or those before the exchange `before`.

    Raises Refusal not_found.
    """
    if before and before not in ids:
        raise Refusal("not_found", "an answer")
    end = ids.index(before) if before else len(ids)
    begin = max(0, end - EXCHANGES)
    newest = next(reversed(tree.parents), None)
    answers = services().storage.conversations.answers(conversation.id, ids[begin:end])
    return BranchPage(
        exchanges_of(answers, conversation, tree.versions),
        earlier=ids[begin] if begin else None,
        is_end=end == len(ids),
        after=ids[-1] if ids and ids[-1] != newest else None,
        leaf=ids[-1] if ids else None,
    )


def exchanges_of(
    answers: Sequence[Answer],
    conversation: Conversation,
    versions: Callable[[str], list[str]] = lambda answer_id: [],
) -> list[ShownExchange]:
    """What a page shows of these answers of a conversation; `versions` knows those of a turn."""
    agent = services().agents.get(conversation.agent)
    picture = services().pictures.addresses(agent) if agent else _no_picture
    blocks = blocks_of(answers, agent)
    cleared_after = conversation.cleared_after
    return [
        _exchange(answer, blocks[answer.id], versions(answer.id), cleared_after, picture)
        for answer in answers
    ]


def _no_picture(url: str) -> None:
    """Pictures of a former agent are not fetched."""


def answer_details(answer: Answer) -> dict[str, Any]:
    """When it was asked, how many seconds it took, how many tokens: what is known of it."""
    usage = Content.of(answer).usage or {}
    details = {
        "asked_at": answer.created_at.isoformat(),
        "seconds": _seconds(answer),
        "tokens": usage.get("total"),
    }
    return {name: value for name, value in details.items() if value is not None}


def _seconds(answer: Answer) -> float | None:
    if answer.ended_at is None:
        return None
    return round(max(0.0, (answer.ended_at - answer.created_at).total_seconds()), 1)


def _exchange(
    answer: Answer,
    blocks: list[str],
    versions: list[str],
    cleared_after: int | None,
    picture: Callable[[str], str | None],
) -> ShownExchange:
    content = Content.of(answer)
    media = [{**medium, **picture_field(medium, picture)} for medium in content.media]
    return ShownExchange(
        id=answer.id,
        question=answer.question,
        files=answer.files,
        state=answer.state,
        html=Markup("".join(blocks)),
        content=replace(content, media=media),
        problem=errors.sentence(answer.code) if answer.code else None,
        code=answer.code,
        is_cut=answer.finish_reason == CUT,
        asked_at=answer.created_at,
        seconds=_seconds(answer),
        age=max(0, int((now() - answer.created_at).total_seconds())),
        versions=versions,
        is_forgotten=answer.sequence == cleared_after,
        rating=answer.rating,
        rating_reason=answer.rating_reason,
    )
