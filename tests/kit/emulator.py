"""The emulated platforms as tests use them: their requests, their switches, the settings of a
site on them.
"""

from dataclasses import dataclass, fields
from typing import Any

import requests

from chat.agents.demo import PICTURE
from emulator import EmulatorSettings
from emulator.accounts import DEMO

# The switches that let every account ask as often a day as it likes.
NO_DAILY_LIMIT = {
    field.name: 0 for field in fields(EmulatorSettings) if field.name.endswith("_daily")
}


@dataclass(frozen=True)
class Emulator:
    """A running emulator: `url` for the code under test, the rest for the test."""

    url: str

    def journal(self, since: int = 0) -> dict[str, Any]:
        """Its requests and violations, or only those requests that came after the one of this
        number.
        """
        return requests.get(f"{self.url}/_emulator/journal?since={since}", timeout=5).json()

    def asked(self, since: int = 0) -> list[str]:
        """The paths of what was sent to it; a page may look at an agent's welcome at any time."""
        entries = self.journal(since)["requests"]
        return [entry["path"] for entry in entries if entry["method"] != "GET"]

    def mark(self) -> int:
        """The number of the last request."""
        return max((entry["number"] for entry in self.journal()["requests"]), default=0)

    def violations(self, kind: str) -> list[dict[str, Any]]:
        return [entry for entry in self.journal()["violations"] if entry["kind"] == kind]

    def change(self, **switches: object) -> None:
        requests.post(f"{self.url}/_emulator/settings", json=switches, timeout=5).raise_for_status()


def quick(**switches: Any) -> EmulatorSettings:
    """An emulator that answers at once and refuses nobody for asking often."""
    return EmulatorSettings(**{"pace_s": 0, "coze_work_s": 0.3, "coze_qps": 0, **switches})


def coze(emulator: Emulator) -> dict[str, object]:
    """The settings of a site whose Coze is the emulator."""
    return {
        "COZE_API_TOKEN": DEMO["COZE_API_TOKEN"],
        "COZE_BOT_ID": DEMO["COZE_BOT_ID"],
        "COZE_API_BASE": emulator.url,
        "PICTURE_PATH": PICTURE,
    }
