"""The numbers of questions, which order everything, as each kind of database gives them."""

from typing import Any

from sqlalchemy import ColumnElement, Integer
from sqlalchemy.ext.compiler import compiles

# The sequence of PostgreSQL from which questions get their numbers (migration 0010 makes it).
NUMBERS = "question_numbers"


class NextSequence(ColumnElement[int]):
    """The number of the next question, in a statement that writes.

    SQLite has one writer at a time, so that no two questions get the same number. PostgreSQL has
    several, and a sequence, NUMBERS.
    """

    inherit_cache = True
    type = Integer()


class SameSequence(NextSequence):
    """The number that this transaction has just given to the conversation of a new question."""

    inherit_cache = True


@compiles(NextSequence)
def _one_more_than_the_largest(element: NextSequence, compiler: Any, **options: Any) -> str:
    return "(SELECT coalesce(max(answers.sequence), 0) + 1 FROM answers)"


@compiles(NextSequence, "postgresql")
def _next_of_the_sequence(element: NextSequence, compiler: Any, **options: Any) -> str:
    return f"nextval('{NUMBERS}')"


@compiles(SameSequence, "postgresql")
def _latest_of_the_sequence(element: SameSequence, compiler: Any, **options: Any) -> str:
    return f"currval('{NUMBERS}')"
