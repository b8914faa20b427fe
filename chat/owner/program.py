"""The command `zhiye`: every command of the owner, and `run`."""

import os
import sys

import click

from chat.release import ROOT, version
from chat.settings.home import environment_elsewhere


@click.command("run")
def run() -> None:
    """Serve the site on HOST:PORT; the demo when nothing is configured.

    Settings are read from .env in this folder, or in that of ZHIYE_HOME.
    """
    # gunicorn imports from where it starts: an app.py in the owner's folder is not ours.
    environment = environment_elsewhere()
    os.chdir(ROOT)
    command = [sys.executable, "-m", "gunicorn", "app:app"]
    os.execve(command[0], command, environment)


class Program(click.Group):
    """Loads the other commands only where they are asked for: `run` needs nothing of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(["run", *_commands()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return run if cmd_name == "run" else _commands().get(cmd_name)


def _commands() -> dict[str, click.Command]:
    from chat.owner.commands import COMMANDS

    return {str(command.name): command for command in COMMANDS}


program = Program("zhiye", help="Your agents on your own web page.")
click.version_option(version(), message="%(version)s")(program)
