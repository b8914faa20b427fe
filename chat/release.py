"""This release: the folder it is in, its version, and the commands that its owner types."""

from pathlib import Path

# A checkout, or the one folder in which a wheel keeps all of it.
ROOT = Path(__file__).resolve().parents[1]
_IS_CHECKOUT = (ROOT / "Makefile").is_file()
# What begins a command of the owner, such as `flask backup`.
PROGRAM = "flask" if _IS_CHECKOUT else "zhiye"
# Where every setting is explained.
SETTINGS_HELP = "config.example.env" if _IS_CHECKOUT else "zhiye settings"
DOCTOR = "make doctor" if _IS_CHECKOUT else "zhiye doctor"


def version() -> str:
    """The version of this release: the first heading of the changelog."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return text.partition("\n## ")[2].split()[0]
