"""What the checks read: the modules of the house, what they import, and what git tracks."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("app", "zhiye", "chat", "providers", "emulator", "tools")


def modules(root: Path, *layers: str) -> list[Path]:
    """The modules of these layers, or of all: what runs, without tests and benches."""
    starts = [root / name for name in ("app.py", "gunicorn.conf.py", "zhiye.py")]
    folders = [path for layer in LAYERS for path in sorted((root / layer).rglob("*.py"))]
    paths = [path for path in (*starts, *folders) if path.is_file()]
    return [path for path in paths if not layers or layer_of(root, path) in layers]


def layer_of(root: Path, path: Path) -> str:
    """The folder at the top that a module is in, or its own name."""
    return path.relative_to(root).parts[0].removesuffix(".py")


def name_of(root: Path, path: Path) -> str:
    """The path of a file as it is written in a complaint."""
    return path.relative_to(root).as_posix()


@cache
def syntax(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """The full names of all modules and things a file imports, wherever in the file."""
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # A relative import has no whole name, and belongs to no layer.
            module = f"{'.' * node.level}{node.module or ''}"
            yield from (f"{module}.{alias.name}" for alias in node.names)


def dotted(path: Path) -> Iterator[str]:
    """Everything a file names with dots, such as `os.environ` or `requests.get`."""
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def tracked(root: Path) -> list[Path]:
    """What git tracks and can be read as text; nothing where there is no git."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    paths = [root / name for name in listing.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:4096]]
