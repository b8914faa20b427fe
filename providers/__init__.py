"""One row a platform: what it is called, where its provider is, and what it can do.

Adding a platform is adding a row here and the module it names; pages, documents, the doctor and the tests
read these rows.
"""

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """A platform. `module` holds `Options` (a pydantic model of what an agent needs) and `PROVIDER` (the
    class).

    `streams`: text comes while it is made. `remembers`: the platform keeps the history, else we send it.
    `files`, `images`: what a question may bring. `cancels`: Stop ends the work there, else only our
    connection. `suggests`: it offers follow-up questions. `counts`: it tells the tokens used. `records`: an
    answer whose reader was lost can be read again.
    """

    title: str
    english: str
    module: str
    streams: bool = True
    remembers: bool = True
    files: bool = False
    images: bool = False
    cancels: bool = False
    suggests: bool = False
    counts: bool = False
    records: bool = False


PLATFORMS: dict[str, Row] = {
    "coze": Row(
        "扣子", "Coze", "providers.coze", cancels=True, suggests=True, counts=True, records=True
    ),
}  # fmt: skip


def load(platform: str) -> Any:
    """The module of a platform, imported when it is first needed."""
    return importlib.import_module(PLATFORMS[platform].module)
