"""What tests of accounts share: their clock, and accounts in both kinds of lines."""

from collections.abc import Iterator
from functools import partial

import pytest

from chat.agents.line import LocalLines
from chat.agents.pacing import Account
from tests.kit.accounts import (
    JumpingClock,
    OpenAccount,
    OpenAccounts,
    SharingProcesses,
    open_account,
    shared_accounts,
)


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture(params=["one process", "shared"])
def account(request: pytest.FixtureRequest, clock: JumpingClock) -> Iterator[OpenAccount]:
    """Opens accounts: in the line of this process, and in a line shared through Redis."""
    if request.param == "one process":

        def open_local(share: int = 3, chance: float = 0.5, **limits: float) -> Account:
            return open_account(LocalLines(share, clock, lambda: chance), **limits)

        yield open_local
        return
    sharing = SharingProcesses(request.getfixturevalue("redis").url, clock)

    def open_shared(share: int = 3, chance: float = 0.5, **limits: float) -> Account:
        name = f"qingyan:{len(sharing.connections)}"
        return sharing.account(sharing.join(share, chance), name, **limits)

    yield open_shared
    sharing.leave()


@pytest.fixture(params=["one process", "shared"])
def accounts(request: pytest.FixtureRequest, clock: JumpingClock) -> Iterator[OpenAccounts]:
    """Opens an account that several have: in one process, or each in a process of its own."""
    if request.param == "one process":
        alone = LocalLines(3, clock, lambda: 0.5)
        yield lambda processes, **limits: [open_account(alone, **limits)] * processes
        return
    sharing = SharingProcesses(request.getfixturevalue("redis").url, clock)
    yield partial(shared_accounts, sharing)
    sharing.leave()
