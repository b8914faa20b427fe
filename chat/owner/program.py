"""The command `zhiye`: every command of the owner, and `run`."""

import os
import sys

import click

from chat.owner.commands import COMMANDS
from chat.release import ROOT, version
from chat.settings.environment import from_another_folder

_VERSION = click.version_option(version(), message="%(version)s")


@click.command("run")
def run() -> None:
    """Serve the site on HOST:PORT; the demo when nothing is configured.

    Settings are read from .env in this folder, or in that of ZHIYE_HOME.
    """
    environment = from_another_folder()
    # gunicorn imports from where it starts: an app.py of the owner's folder must not be ours.
    os.chdir(ROOT)
    command = [sys.executable, "-m", "gunicorn", "app:app"]
    os.execve(command[0], command, environment)


program = _VERSION(click.Group("zhiye", commands=[run, *COMMANDS], help=__doc__))
