"""Ids sort by time and cannot be guessed."""

import re

from chat.storage.models import new_id


def test_ids_are_in_order_of_time_and_cannot_be_guessed() -> None:
    ids = [new_id() for _ in range(1000)]
    assert len({one[11:] for one in ids}) == 1000
    assert [one[:11] for one in ids] == sorted(one[:11] for one in ids)
    assert all(re.fullmatch(r"[0-9a-f]{29}", one) for one in ids)


def test_ids_sort_by_the_order_they_were_made_in() -> None:
    ids = [new_id() for _ in range(5000)]
    assert ids == sorted(ids) and len(set(ids)) == 5000
