"""The command `zhiye`: what `flask` does for the owner, and `run`, from any folder."""

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def main() -> None:
    """Runs one command of chat/owner/program.py.

    A wheel keeps `chat` and the other packages in the folder of this file, so that no name but
    `zhiye` is added to an environment; only here they are put in reach.
    """
    sys.path.insert(0, str(FOLDER))
    from chat.owner.program import program

    program(prog_name="zhiye")


if __name__ == "__main__":
    main()
