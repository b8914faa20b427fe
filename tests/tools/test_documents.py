"""The generated documents: written anew, and named when they are stale."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import documents
from tools.prose import READMES

ROOT = Path(__file__).resolve().parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_check_names_what_is_stale(tmp_path: Path) -> None:
    for name in ("chat", "providers", "emulator", "docs", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (*READMES, "app.py", "gunicorn.conf.py"):
        shutil.copy(ROOT / name, tmp_path)
    command = [sys.executable, "-m", "tools.documents"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    readme = tmp_path / "README.md"
    current = readme.read_text(encoding="utf-8")
    readme.write_text(current.replace("| `PORT` |", "| `PROT` |"), encoding="utf-8")
    checked = subprocess.run(
        [*command, "--check"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert checked.returncode == 1
    assert checked.stderr.strip() == "stale: README.md. Write them anew: make documents"
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    assert readme.read_text(encoding="utf-8") == current


def test_a_document_without_its_marker_is_named() -> None:
    with pytest.raises(documents.MissingMarker, match="settings: written by"):
        documents.filled("# Nothing here\n", "settings", "| a |\n")
