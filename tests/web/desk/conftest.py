"""What tests of the desk share: the database of the site at hand."""

from collections.abc import Iterator

import pytest

from chat import storage
from chat.settings.model import Settings
from chat.storage import Storage
from tests.kit.site import Site


@pytest.fixture
def store(site: Site) -> Iterator[Storage]:
    """The site's own database, as another process has it."""
    opened = storage.connect(Settings(database_url=f"sqlite:///{site.folder}/instance/chat.db"))
    yield opened
    opened.close()
