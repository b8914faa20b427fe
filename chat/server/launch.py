"""What gunicorn's master has to know of the settings, without loading what reads them."""

import json
import os
import sys
import traceback
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Launch:
    """The settings that the master needs, by their names."""

    host: str
    port: int
    workers: int
    grace_s: int
    log_format: str
    log_level: str
    needs_emulator: bool

    @property
    def bracketed_host(self) -> str:
        """The host as it stands before a port: an address of IPv6 is full of colons."""
        return f"[{self.host}]" if ":" in self.host else self.host


def read() -> Launch:
    """Reads the settings in a process of its own: what that takes would stay in memory here.

    When a setting is wrong, the process has said so, and this one exits.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _report(writing)
    os.close(writing)
    with open(reading) as pipe:
        report = pipe.read()
    os.waitpid(child, 0)
    if not report:
        sys.exit(1)
    return Launch(**json.loads(report))


def _report(writing: int) -> None:
    """Writes the settings, and ends this process without the ways of its parent."""
    try:
        with open(writing, "w") as pipe:
            json.dump(asdict(_load()), pipe)
    except SystemExit as end:
        print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


def _load() -> Launch:
    from chat.settings import model
    from chat.settings.errors import SettingsError
    from chat.settings.notices import notices

    for notice in notices():
        print(f"{notice.say('en')} / {notice.say('zh')}", file=sys.stderr)
    try:
        settings = model.load()
    except SettingsError as error:
        sys.exit(error.say_in_both())
    return Launch(
        settings.host,
        settings.port,
        settings.workers,
        settings.grace_s,
        settings.log_format,
        settings.log_level,
        settings.is_demo and not settings.demo_url,
    )
