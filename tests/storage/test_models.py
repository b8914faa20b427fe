"""Ids cannot be guessed, whatever the clock says."""

import re
from datetime import UTC, datetime

from chat.storage.models import new_id


def test_ids_cannot_be_guessed() -> None:
    ids = [new_id() for _ in range(1000)]
    assert len({id[11:] for id in ids}) == 1000
    assert all(re.fullmatch(r"[0-9a-f]{29}", id) for id in ids)


def test_ids_have_one_length_under_any_clock() -> None:
    for year in (1, 1969, 1970, 2026, 2500):
        assert re.fullmatch(r"[0-9a-f]{29}", new_id(datetime(year, 1, 1, tzinfo=UTC)))
