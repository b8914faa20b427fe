"""python -m tests.faults: asks every fault of the real site and writes docs/reliability.md anew."""

from tests.faults.asking import look_at_all
from tests.faults.report import write


def main() -> None:
    for name in write(look_at_all()):
        print(f"wrote docs/{name}")


if __name__ == "__main__":
    main()
