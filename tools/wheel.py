"""What a wheel of the site needs installed: the packages of requirements.in, for hatchling."""

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Dependencies(MetadataHookInterface):
    """Takes the versions that are tested: whoever installs the wheel gets these and no others."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Adds `dependencies` to the metadata of the project."""
        text = Path(self.root, "requirements.in").read_text(encoding="utf-8")
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        metadata["dependencies"] = [line for line in lines if line]
