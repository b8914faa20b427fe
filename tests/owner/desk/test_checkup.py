"""The doctor at the desk looks in the background, once at a time, and says no secret."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest

from chat.logs.redaction import Redaction
from chat.owner.desk.checkup import GAP, LONGEST, Checkup
from chat.owner.doctor.findings import Finding
from chat.settings.errors import SettingsError
from chat.storage import Storage

Examine = Callable[[bool], Sequence[Finding]]
SECRET = "pat_demo_only_brass_lantern"


@pytest.fixture
def checkup(store: Storage, time: list[datetime]) -> Callable[[Examine], Checkup]:
    def of(examine: Examine) -> Checkup:
        redaction = Redaction([SECRET])
        return Checkup(store.owner_values, examine, redaction, lambda: time[0])

    return of


def found(asks: bool) -> list[Finding]:
    return [Finding("disk_low", "disk", {"free": "100 MB", "path": SECRET})]


def test_a_report_is_in_the_reader_s_language_and_without_a_secret(
    checkup: Callable[[Examine], Checkup],
) -> None:
    doctor = checkup(found)
    assert doctor.begin(False)
    report = doctor.report("zh", 10)
    assert report.at and not report.is_running and report.findings[0]["level"] == "warn"
    assert "磁盘" in report.findings[0]["title"] and "Disk" in str(doctor.report("en").findings)
    assert SECRET not in str(report.findings)


def test_two_looks_are_never_made_at_once_nor_soon_after_each_other(
    checkup: Callable[[Examine], Checkup], time: list[datetime]
) -> None:
    may_end = threading.Event()

    def slow(asks: bool) -> list[Finding]:
        may_end.wait(20)
        return found(asks)

    here, there = checkup(slow), checkup(found)
    assert here.begin(False)
    assert not there.begin(False) and there.report("en").is_running
    may_end.set()
    assert here.report("en", 10).findings
    assert not there.begin(False), "so soon"
    time[0] += GAP
    assert there.begin(False) and there.report("en", 10).at == time[0]


def test_the_look_of_a_process_that_died_is_in_nobody_s_way(
    checkup: Callable[[Examine], Checkup], store: Storage, time: list[datetime]
) -> None:
    store.owner_values.alter("doctor", lambda report: {"began": time[0].isoformat()})
    doctor = checkup(found)
    assert not doctor.begin(False)
    time[0] += LONGEST + timedelta(seconds=1)
    assert not doctor.report("en").is_running and doctor.begin(False)
    assert doctor.report("en", 10).findings


def test_a_look_that_fails_ends_too(checkup: Callable[[Examine], Checkup]) -> None:
    def broken(asks: bool) -> list[Finding]:
        raise SettingsError("no_agents", path="x")

    doctor = checkup(broken)
    assert doctor.begin(False)
    report = doctor.report("en", 10)
    assert report.at and not report.is_running and not report.findings
