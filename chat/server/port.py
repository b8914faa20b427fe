"""The port to listen on, tried before gunicorn does: one that is taken has a holder and a cure."""

import errno
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from chat.settings.words import LANGUAGES, Sentence, Words, sentence

PROBLEMS: dict[str, Words] = {
    "taken": Words(
        "PORT：{port} 已被占用{holder}。请写 PORT={free} 再启动，或先停止占用它的程序",
        "PORT: {port} is taken{holder}. Write PORT={free} and start again, or stop who has it.",
    ),
    "not_allowed": Words(
        "PORT：没有权限监听 {port}。请写 PORT={free} 再启动",
        "PORT: this user may not listen on {port}. Write PORT={free} and start again.",
    ),
    "not_here": Words(
        "HOST：{host} 不是本机的地址。请写 HOST=127.0.0.1（只给本机用）或 HOST=0.0.0.0（所有网络）",
        "HOST: {host} is no address of this machine. Write HOST=127.0.0.1 for this machine alone, "
        "or HOST=0.0.0.0 for every network.",
    ),
}
_HOLDER = Words("（进程 {pid}：{command}）", " by process {pid} ({command})")
_NOBODY = Words("", "")
# So long may the processes of a site that was killed keep its port.
PATIENCE_S = 3.0
# Ports below belong to the system.
_LOWEST = 1024
_LISTENS = "0A"
_KINDS = {
    errno.EADDRINUSE: "taken",
    errno.EACCES: "not_allowed",
    errno.EPERM: "not_allowed",
    errno.EADDRNOTAVAIL: "not_here",
}


def problem(host: str, port: int, patience_s: float = PATIENCE_S) -> str | None:
    """Why nobody can listen there, with what to do, in both languages; None when all is well."""
    until = time.monotonic() + patience_s
    while (kind := _obstacle(host, port)) == "taken" and time.monotonic() < until:
        time.sleep(0.1)
    if kind is None:
        return None
    free = next(_free_ports(host, port), 8000)
    facts = {"host": host, "port": port, "free": free, "holder": _holder(port)}
    return " / ".join(PROBLEMS[kind].say(language, facts) for language in LANGUAGES)


def _obstacle(host: str, port: int) -> str | None:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
        return None
    except socket.gaierror:
        return "not_here"
    except OSError as error:
        # Of anything else gunicorn speaks itself.
        return _KINDS.get(error.errno or 0)


def _free_ports(host: str, port: int) -> Iterator[int]:
    first = port + 1 if port >= _LOWEST else 8000
    return (other for other in range(first, min(first + 50, 65536)) if not _obstacle(host, other))


def _holder(port: int) -> Words | Sentence:
    """Who listens on a port, as far as the system tells this user."""
    inodes = set(_inodes(port))
    for folder in Path("/proc").glob("[0-9]*"):
        if inodes & set(_open_files(folder)):
            command = (folder / "comm").read_text().strip()
            return sentence(_HOLDER, pid=folder.name, command=re.sub(r"\W+", " ", command))
    return _NOBODY


def _open_files(process: Path) -> Iterator[str]:
    """What a process has open; nothing of one that is another user's, or has ended."""
    try:
        for link in (process / "fd").iterdir():
            with suppress(FileNotFoundError):
                yield os.readlink(link)
    except OSError:
        return


def _inodes(port: int) -> Iterator[str]:
    """The sockets that listen on a port, as the links of their processes name them."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in map(str.split, rows):
            if row[3] == _LISTENS and int(row[1].rpartition(":")[2], 16) == port:
                yield f"socket:[{row[9]}]"
