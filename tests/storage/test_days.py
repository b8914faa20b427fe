"""A day's budget is never exceeded, however many ask at once."""

from tests.storage.acting import Connect, together


def test_twenty_at_once_never_spend_more_than_the_day_has(connect: Connect) -> None:
    stores = [connect(), connect()]
    results = together(lambda n: stores[n % 2].days.spend("coze:a", "2026-01-01", 7), 20)
    assert sorted(map(str, results)) == ["False"] * 13 + ["True"] * 7
    assert stores[0].days.spend("coze:a", "2026-01-02", 7) and stores[0].days.spend(
        "coze:b", "2026-01-01", 7
    )
