"""A code is good for ten minutes, also when the clock is set back."""

from datetime import UTC, datetime, timedelta

from chat.storage import Storage
from chat.visitors.devices import Devices
from chat.visitors.guessing import Guessing


def test_a_code_is_not_good_for_longer_when_the_clock_is_set_back(store: Storage) -> None:
    at = [datetime(2026, 1, 2, tzinfo=UTC)]
    devices = Devices(store.moves, "a key of this test", Guessing(), lambda: at[0])
    code = devices.begin("alice")
    at[0] -= timedelta(days=1)
    assert not devices.peek(code, "192.0.2.1")
