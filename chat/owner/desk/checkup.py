"""The doctor at the desk: looks in the background, one at a time, and leaves a report for all."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chat.logs.redaction import Redaction
from chat.owner.doctor.findings import Finding
from chat.settings.words import LANGUAGES
from chat.storage.models import now
from chat.storage.owner.values import OwnerValues

# The name of the report among the owner's values.
REPORT = "doctor"
# Two looks are so far apart at least, whoever clicks how often: platforms count calls.
GAP = timedelta(seconds=20)
# A look that has not ended by then was that of a process that died.
LONGEST = timedelta(minutes=3)
LONGEST_TEXT = 1000

log = logging.getLogger("chat.desk")


@dataclass(frozen=True)
class Report:
    """What was seen when: `findings` are the level, the title, what was seen and what to do."""

    at: datetime | None
    findings: Sequence[dict[str, str]]
    is_running: bool


class Checkup:
    """`examine` looks at the site, and at a question of each agent's when it is told so.

    The report is in the database, so that every process shows it and none begins a second look.
    """

    def __init__(
        self,
        values: OwnerValues,
        examine: Callable[[bool], Sequence[Finding]],
        redaction: Redaction,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._values = values
        self._examine = examine
        self._redaction = redaction
        self._clock = clock

    def begin(self, asks: bool) -> bool:
        """Begins a look in the background; False when there is one, or was a moment ago."""
        is_ours = False

        def claim(report: Any) -> Any:
            nonlocal is_ours
            is_ours = self._may_begin(report or {})
            return {**(report or {}), "began": self._now()} if is_ours else report

        self._values.alter(REPORT, claim)
        if is_ours:
            threading.Thread(target=self._look, args=[asks], daemon=True).start()
        return is_ours

    def report(self, language: str, patience_s: float = 0.0) -> Report:
        """The latest report; waits so long for one that is being made."""
        until = time.monotonic() + patience_s
        while True:
            stored = self._values.get(REPORT).value or {}
            is_running = self._is_running(stored)
            if not is_running or time.monotonic() >= until:
                break
            time.sleep(0.1)
        ended = stored.get("ended")
        findings = [
            {name: each[language] if isinstance(each, dict) else each for name, each in row.items()}
            for row in stored.get("findings", [])
        ]
        return Report(datetime.fromisoformat(ended) if ended else None, findings, is_running)

    def _look(self, asks: bool) -> None:
        try:
            fresh = {"findings": [self._row(finding) for finding in self._examine(asks)]}
        except Exception:
            log.exception("the doctor has failed")
            fresh = {}
        ended = {"began": None, "ended": self._now()}
        try:
            self._values.alter(REPORT, lambda report: {**(report or {}), **fresh, **ended})
        except Exception:
            log.exception("the doctor's report is lost")

    def _row(self, finding: Finding) -> dict[str, Any]:
        """A finding in both languages, without a secret."""

        def in_each(say: Callable[[str], str]) -> dict[str, str]:
            return {
                language: self._redaction.blank_known(say(language))[:LONGEST_TEXT]
                for language in LANGUAGES
            }

        return {
            "level": finding.level,
            "title": in_each(finding.title),
            "seen": in_each(finding.seen),
            "to_do": in_each(finding.to_do),
        }

    def _may_begin(self, report: dict[str, Any]) -> bool:
        ended = report.get("ended")
        is_rested = not ended or abs(self._clock() - datetime.fromisoformat(ended)) >= GAP
        return is_rested and not self._is_running(report)

    def _is_running(self, report: dict[str, Any]) -> bool:
        began = report.get("began")
        return began is not None and abs(self._clock() - datetime.fromisoformat(began)) < LONGEST

    def _now(self) -> str:
        return self._clock().isoformat()
