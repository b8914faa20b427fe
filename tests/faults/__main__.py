"""python -m tests.faults: asks every fault of the running site and writes docs/reliability.md
anew.
"""

import tempfile
from pathlib import Path

from tests.faults.harvest import ask_everything
from tests.faults.report import write


def main() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        harvest = ask_everything(Path(folder))
    for name in write(harvest.outcomes):
        print(f"wrote docs/{name}")


if __name__ == "__main__":
    main()
