"""The one harvest that all tests of this folder read."""

import pytest

from tests.faults.harvest import Harvest, ask_everything


@pytest.fixture(scope="session")
def harvest(tmp_path_factory: pytest.TempPathFactory) -> Harvest:
    return ask_everything(tmp_path_factory.mktemp("faults"))
