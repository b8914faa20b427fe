"""Stored blocks: each once, whoever adds it at the same moment."""

from tests.storage.acting import Connect, together


def test_a_block_that_many_add_at_once_stands_there_once(connect: Connect) -> None:
    stores = [connect() for _ in range(4)]
    added = together(lambda number: stores[number].blocks.add("192.0.2.0/24"), len(stores))
    assert added.count(True) == 1 and added.count(False) == len(stores) - 1
    assert [block.subject for block in stores[0].blocks.all()] == ["192.0.2.0/24"]
