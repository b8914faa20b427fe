"""Imports flow one way: which layer and room may import which, and who may use which library."""

import re
from collections.abc import Iterator
from pathlib import Path

from providers import PLATFORMS
from tools.source import dotted, imports, layer_of, modules, name_of

MAY_IMPORT = {
    "app": {"chat", "providers"},
    "zhiye": {"chat"},
    "gunicorn.conf": {"chat"},
    "chat": {"providers"},
    "providers": set(),
    "emulator": set(),
    "tools": {"chat", "providers"},
}
# The rooms of chat/, the lowest floor first. A room imports rooms of lower floors, and itself.
FLOORS: tuple[tuple[str, ...], ...] = (
    (
        "release",
        "refusals",
        "offload",
        "china",
        "file_types",
        "legible",
        "folding",
    ),
    ("logs",),
    ("settings",),
    ("shared",),
    ("storage", "page"),
    ("agents", "visitors"),
    ("files", "notices"),
    ("answers",),
    ("parts",),
    ("owner",),
    ("services",),
    ("server",),
    ("web",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# Rooms within a room, and all that they may import of the room around them.
INNER_ROOMS = {
    "chat/owner/desk/": ("chat.owner.desk", "chat.owner.doctor"),
    "chat/owner/doctor/": ("chat.owner.doctor",),
    "chat/storage/engine/": ("chat.storage.engine",),
    "chat/storage/search/": (
        "chat.storage.search",
        "chat.storage.models",
        "chat.storage.engine",
    ),
    "chat/storage/visitors/": (
        "chat.storage.visitors",
        "chat.storage.models",
        "chat.storage.engine",
    ),
    "chat/visitors/limits/": ("chat.visitors.limits",),
    "chat/web/gate/": ("chat.web.gate", "chat.web.services"),
    "chat/web/frame/": ("chat.web.frame", "chat.web.gate", "chat.web.services"),
    "chat/web/answers/": ("chat.web.answers", "chat.web.gate", "chat.web.services"),
    "chat/web/conversations/": (
        "chat.web.conversations",
        "chat.web.errors",
        "chat.web.answers",
        "chat.web.frame",
        "chat.web.gate",
        "chat.web.services",
    ),
}

# Imports upwards that are still to be cut: (file, room). It only ever shrinks.
KNOWN_VIOLATIONS: frozenset[tuple[str, str]] = frozenset()

KNOWS_FLASK = ("app.py", "chat/web/", "chat/owner/commands.py", "emulator/")
KNOWS_SQLALCHEMY = ("chat/storage/",)
# The connection, and a module beside each local one that has a shared twin.
KNOWS_REDIS = re.compile(r"chat/(shared/|\w+/redis)")
READS_THE_ENVIRONMENT = (
    "chat/settings/environment.py",
    "chat/settings/home.py",
    "gunicorn.conf.py",
)
OPENS_SESSIONS = ("providers/http.py",)
VERBS = ("get", "post", "put", "patch", "delete", "head", "options", "request")
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.putenv"}


def check(root: Path) -> Iterator[str]:
    """Every import that goes the wrong way, and every library used outside of its place."""
    for path in modules(root):
        name = name_of(root, path)
        names = set(imports(path))
        yield from _layers(layer_of(root, path), name, names)
        yield from _rooms(name, names)
        yield from _inner_rooms(name, names)
        yield from _libraries(name, names, names | set(dotted(path)))
        yield from _platforms(name, names)
    yield from _demo_address(root)


def _layers(layer: str, name: str, names: set[str]) -> Iterator[str]:
    for imported in sorted(names):
        if imported.startswith("."):
            yield f"{name}: say the whole name of what you import, not {imported}"
    tops = {imported.partition(".")[0] for imported in names} & {*MAY_IMPORT, "tests", "bench"}
    for top in sorted(tops - MAY_IMPORT[layer] - {layer}):
        yield f"{name}: {layer} may not import {top}"


def _rooms(name: str, names: set[str]) -> Iterator[str]:
    parts = name.removesuffix(".py").split("/")
    if parts[0] != "chat" or parts[1] == "__init__":
        return
    room = parts[1]
    if room not in FLOOR:
        yield f"{name}: {room} has no floor; give it one in tools/layers.py"
        return
    others = {imported.split(".")[1] for imported in names if imported.startswith("chat.")} - {room}
    for other in sorted(others & set(FLOOR)):
        if FLOOR[other] >= FLOOR[room] and (name, other) not in KNOWN_VIOLATIONS:
            yield f"{name}: {room} may not import {other}"


def _inner_rooms(name: str, names: set[str]) -> Iterator[str]:
    """An inner room stands below the room around it."""
    for inner, allowed in INNER_ROOMS.items():
        if not name.startswith(inner):
            continue
        outer = inner.removesuffix("/").replace("/", ".").rpartition(".")[0]
        for imported in sorted(names):
            if imported.startswith(f"{outer}.") and not imported.startswith(allowed):
                yield f"{name}: {inner} may not import {imported}"


def _libraries(name: str, names: set[str], used: set[str]) -> Iterator[str]:
    if any(re.match("(flask|werkzeug)", imported) for imported in names):
        yield from _outside(name, KNOWS_FLASK, "Flask")
    if any(imported.startswith("sqlalchemy") for imported in names):
        yield from _outside(name, KNOWS_SQLALCHEMY, "SQLAlchemy")
    if any(re.match(r"redis\b", imported) for imported in names) and not KNOWS_REDIS.match(name):
        yield f"{name}: uses Redis, which belongs to chat/shared/ and modules called redis…"
    if used & ENVIRONMENT:
        yield from _outside(name, READS_THE_ENVIRONMENT, "the environment")
    if name.startswith(("emulator/", "tools/")):
        return
    # Time-outs, certificates, redirects and redaction are decided once.
    if used & {"requests.Session", "requests.session"}:
        yield from _outside(name, OPENS_SESSIONS, "sessions of requests")
    for door in sorted(used):
        if re.match(rf"requests\.({'|'.join(VERBS)})$|httpx|http\.client|urllib\.request", door):
            yield f"{name}: {door}; the only door to the network is providers/http.py"


def _outside(name: str, places: tuple[str, ...], subject: str) -> Iterator[str]:
    if not name.startswith(places):
        yield f"{name}: uses {subject}, which belongs to {', '.join(places)}"


def _platforms(name: str, names: set[str]) -> Iterator[str]:
    """A platform knows no other platform."""
    parts = name.split("/")
    if parts[0] not in ("providers", "emulator") or parts[1] not in PLATFORMS:
        return
    for imported in sorted(names):
        pieces = imported.split(".")
        if pieces[0] == parts[0] and pieces[1] in PLATFORMS and pieces[1] != parts[1]:
            yield f"{name}: {parts[1]} may not import {imported}"


def _demo_address(root: Path) -> Iterator[str]:
    """gunicorn.conf.py writes into the environment where the demo is, and reads nothing there."""
    path = root / "gunicorn.conf.py"
    uses = re.findall(r"os\.environ\S*", path.read_text(encoding="utf-8")) if path.is_file() else []
    if uses not in ([], ['os.environ["DEMO_URL"],']):
        yield f"gunicorn.conf.py: uses the environment for more than DEMO_URL: {uses}"
