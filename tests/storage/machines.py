"""A state machine runs twice: on a file, and on a server, where each step takes longer.

A class of tests names the `machine`, whose `store` it sets.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine

from chat import storage
from chat.settings.model import Settings
from tests.kit.servers.postgresql import Databases


class InAFile:
    """Deleting the rows of an example takes less than a new file."""

    machine: type[RuleBasedStateMachine]
    settings = settings(max_examples=20, stateful_step_count=25, deadline=None)

    @pytest.fixture(autouse=True, scope="class")
    @staticmethod
    def stored_in_a_file(
        request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[None]:
        path: Path = tmp_path_factory.mktemp("machine") / "chat.db"
        yield from _stored(request, f"sqlite:///{path}")


class OnAServer:
    """The same on PostgreSQL."""

    machine: type[RuleBasedStateMachine]
    settings = settings(max_examples=5, stateful_step_count=25, deadline=None)

    @pytest.fixture(autouse=True, scope="class")
    @staticmethod
    def stored_on_a_server(request: pytest.FixtureRequest, postgresql: Databases) -> Iterator[None]:
        name = postgresql.lend()
        yield from _stored(request, postgresql.server.address(name))
        postgresql.give_back(name)


def _stored(request: pytest.FixtureRequest, address: str) -> Iterator[None]:
    store = storage.connect(Settings(database_url=address))
    request.cls.machine.store = store
    yield
    store.engine.dispose()
