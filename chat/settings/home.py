"""The site's home: the folder of .env and instance/, where relative paths begin."""

import os
from pathlib import Path

NAME = "ZHIYE_HOME"
_folder = os.environ.get(NAME)
# Unset, it is the folder where the site is started.
HOME = Path(os.path.abspath(_folder)) if _folder else Path()


def environment_elsewhere() -> dict[str, str]:
    """The environment of this process for one that starts in another folder, with the same home."""
    return {**os.environ, NAME: str(HOME.absolute())}
