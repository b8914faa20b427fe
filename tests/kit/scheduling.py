"""How pytest-xdist hands out the tests: what shares a costly fixture stays together, the longest
begins first.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# All files of this folder read one harvest.
TOGETHER = "tests/faults/"
# These take longest: begun last, they would keep one worker busy alone.
LONGEST = (
    TOGETHER,
    "tests/web/test_openapi.py",
    "tests/browser/",
    "tests/site/",
    "tests/providers/",
    "tests/server/",
    "tests/visitors/",
    "tests/agents/",
    "tests/page/",
    "tests/soak/",
    "tests/answers/",
    "tests/web/",
)


class FolderScheduling(LoadScopeScheduling):
    """A file is one piece of work, and so is the folder of faults; pieces go out in the order of
    the tests.
    """

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        path, _, _ = nodeid.partition("::")
        return TOGETHER if path.startswith(TOGETHER) else path


def sort_longest_first(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        folders = [number for number, name in enumerate(LONGEST) if item.nodeid.startswith(name)]
        return folders[0] if folders else len(LONGEST)

    items.sort(key=rank)
