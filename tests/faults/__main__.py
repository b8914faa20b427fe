"""python -m tests.faults: asks every fault of the real site and writes docs/reliability.md anew."""

from tests.faults.asking import look_at_all
from tests.faults.report import documents


def main() -> None:
    for path, text in documents(look_at_all()).items():
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/{path.name}")


if __name__ == "__main__":
    main()
