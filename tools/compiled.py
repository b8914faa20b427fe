"""Whether the compiled scripts belong to their sources, without Node.js."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

CURE = "run `make js`"


def check(root: Path) -> Iterator[str]:
    """Every script of static/js that was changed, added or removed since it was compiled."""
    sources = root / "static" / "js"
    record = root / "static" / "compiled" / "sources.sha256"
    if not sources.is_dir():
        return
    lines = record.read_text("utf-8").splitlines() if record.is_file() else []
    compiled = {Path(name).name: digest for digest, name in map(str.split, lines)}
    digests = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(sources.iterdir())
    }
    for name in sorted(compiled.keys() | digests.keys()):
        if compiled.get(name) != digests.get(name):
            yield f"static/js/{name}: is not what static/compiled was made of; {CURE}"
