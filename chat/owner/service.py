"""`zhiye service`: a systemd unit for this very site, and how to start it."""

import pwd
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from stat import S_IXOTH

import click

from chat import storage
from chat.owner.command_line import CommandError, failing_in, in_language
from chat.owner.words import say
from chat.release import ROOT
from chat.settings import model as settings
from chat.settings.environment import DOTENV
from chat.settings.home import HOME
from chat.settings.model import INSTANCE

TEMPLATE = ROOT / "deploy" / "zhiye.service"
USER = "zhiye"
# systemd takes no other names.
_USER_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,30}")
# What ProtectHome=true hides.
_HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user")))


@click.command("service")
@click.argument("file", type=click.Path(path_type=Path), default="zhiye.service")
@click.option("--user", metavar="NAME", help="Who runs it; else the owner of this folder.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@in_language
def write_service(file: Path, user: str | None, force: bool, lang: str) -> None:
    """Write a systemd unit for this site into FILE, and say how to start it.

    Exits with 0, or 2 when it could not.
    """
    with failing_in(lang):
        home, user = HOME.absolute(), user or _owner(HOME)
        text = unit(home, user)
        _refuse_closed_folders([home, Path(sys.executable)], user)
        try:
            with file.open("w" if force else "x", encoding="utf-8") as stream:
                stream.write(text)
        except FileExistsError:
            raise CommandError("exists", path=file) from None
        except OSError as error:
            raise CommandError("unwritable", path=file, reason=error) from error
        commands = "\n".join(f"  {command}" for command in _commands(file, user))
        click.echo(say("service_written", lang, path=file, user=user, home=home))
        click.echo(f"\n{commands}\n")
        click.echo(say("service_started", lang))


def unit(home: Path, user: str) -> str:
    """The unit of deploy/zhiye.service for this program, this user and the data in `home`.

    Raises CommandError, SettingsError.
    """
    if not _USER_NAME.fullmatch(user):
        raise CommandError("user_name", user=user)
    writable = _writable_folders()
    values = {
        "User": user,
        "WorkingDirectory": _escaped(home),
        "ExecStart": " ".join(map(_quoted, _start())),
        "ReadWritePaths": " ".join(map(_quoted, writable)),
    }
    if any(path.is_relative_to(hidden) for path in (home, *writable, ROOT) for hidden in _HIDDEN):
        values["ProtectHome"] = "read-only"
    template = TEMPLATE.read_text(encoding="utf-8")
    lines = [
        "# Written by `zhiye service`.",
        "",
        *template[template.index("[Unit]") :].splitlines(),
    ]
    names = [line.partition("=")[0] for line in lines]
    filled = [
        f"{name}={values[name]}" if name in values else line
        for name, line in zip(names, lines, strict=True)
    ]
    return "\n".join(filled) + "\n"


def _start() -> list[str]:
    """What starts the site: the program of a wheel, or that of a checkout."""
    program = Path(sys.executable).with_name("zhiye")
    if program.is_file():
        return [str(program), "run"]
    return [sys.executable, str(ROOT / "zhiye.py"), "run"]


def _writable_folders() -> list[Path]:
    """instance/, and the folder of the database where that is another."""
    file = storage.file_of(settings.load())
    folders = [INSTANCE.absolute(), *([file.absolute().parent] if file else [])]
    return list(dict.fromkeys(folders))


def _owner(folder: Path) -> str:
    """Who owns a folder; where it is root, a user for the site alone."""
    owner = pwd.getpwuid(folder.stat().st_uid).pw_name
    return USER if owner == "root" else owner


def _uid(user: str) -> int | None:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None


def _refuse_closed_folders(paths: list[Path], user: str) -> None:
    """Raises CommandError for a folder on the way that the user may not enter, such as /root."""
    uid = _uid(user)
    if uid == 0:
        return
    for folder in [folder for path in paths for folder in reversed(path.resolve().parents)]:
        facts = folder.stat()
        if facts.st_uid != uid and not facts.st_mode & S_IXOTH:
            raise CommandError("closed_folder", folder=folder, user=user)


def _commands(file: Path, user: str) -> Iterator[str]:
    """What root has to do, once."""
    if _uid(user) is None:
        yield f"useradd --system --no-create-home {user}"
    for folder in _writable_folders():
        place = shlex.quote(str(folder))
        yield f"install -d -m 700 {place} && chown -R {user}: {place}"
    if DOTENV.is_file():
        dotenv = shlex.quote(str(DOTENV.absolute()))
        yield f"chown {user}: {dotenv} && chmod 600 {dotenv}"
    if file.absolute().parent != Path("/etc/systemd/system"):
        yield f"cp {shlex.quote(str(file.absolute()))} /etc/systemd/system/zhiye.service"
    yield "systemctl daemon-reload && systemctl enable --now zhiye"


def _escaped(text: object) -> str:
    # A percent sign begins one of systemd's specifiers.
    return str(text).replace("%", "%%")


def _quoted(text: object) -> str:
    """One word of a list of words."""
    escaped = _escaped(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if re.search(r"[\s\"'\\;]", escaped) else escaped
