"""The systemd unit of a site: where it starts, what it may write, and who may not run it."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chat.owner.service import write_service
from chat.settings import help as settings_help
from tests.kit.site import PATIENCE_S, ROOT

Write = Callable[..., Result]


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Write:
    """`write(folder, "--user", "root", DATABASE_URL=…)`: the command, run in that folder."""
    for _, name, _ in settings_help.published():
        monkeypatch.delenv(name, raising=False)

    def written(folder: Path, *arguments: str, **settings: str) -> Result:
        monkeypatch.chdir(folder)
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(write_service, ["--lang", "en", *arguments])

    return written


def lines(folder: Path) -> list[str]:
    return (folder / "zhiye.service").read_text(encoding="utf-8").splitlines()


def test_the_unit_is_the_repositorys_with_places_of_this_site(write: Write, tmp_path: Path) -> None:
    home = tmp_path / "50% of a site"
    home.mkdir()
    elsewhere = tmp_path / "database"
    done = write(home, "--user", "root", DATABASE_URL=f"sqlite:///{elsewhere}/chat.db")
    assert done.exit_code == 0, done.output
    escaped = str(home).replace("%", "%%")
    theirs = (ROOT / "deploy" / "zhiye.service").read_text(encoding="utf-8").splitlines()
    changed = [line for line in lines(home)[1:] if line not in theirs]
    assert changed == [
        "User=root",
        f"WorkingDirectory={escaped}",
        f"ExecStart={sys.executable} {ROOT}/zhiye.py run",
        f'ReadWritePaths="{escaped}/instance" {elsewhere}',
    ]
    assert "ProtectSystem=strict" in lines(home)


def test_what_root_has_to_do_is_printed(write: Write, tmp_path: Path) -> None:
    (tmp_path / ".env").touch()
    commands = write(tmp_path, "--user", "root").stdout.splitlines()
    assert (
        f"  install -d -m 700 {tmp_path}/instance && chown -R root: {tmp_path}/instance" in commands
    )
    assert f"  chown root: {tmp_path}/.env && chmod 600 {tmp_path}/.env" in commands
    assert f"  cp {tmp_path}/zhiye.service /etc/systemd/system/zhiye.service" in commands
    assert not [command for command in commands if "useradd" in command], "root is there already"


def test_systemd_understands_the_unit(write: Write, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze: apt-get install systemd")
    write(tmp_path, "--user", "root")
    verdict = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "zhiye.service"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert (verdict.returncode, verdict.stderr) == (0, "")


def test_a_user_who_may_not_enter_the_folder_is_refused(write: Write, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    home = closed / "site"
    home.mkdir(parents=True)
    closed.chmod(0o700)
    refused = write(home, "--user", "zhiye-of-a-test")
    assert refused.exit_code == 2 and "may not enter" in refused.stderr
    assert not (home / "zhiye.service").exists()


def test_a_name_that_is_none_is_refused(write: Write, tmp_path: Path) -> None:
    refused = write(tmp_path, "--user", "a\nExecStartPre=x")
    assert refused.exit_code == 2 and "cannot be the name of a user" in refused.stderr


def test_a_file_that_is_there_stays(write: Write, tmp_path: Path) -> None:
    (tmp_path / "zhiye.service").write_text("mine\n")
    refused = write(tmp_path, "--user", "root")
    assert refused.exit_code == 2 and "--force" in refused.stderr
    assert lines(tmp_path) == ["mine"]
    assert write(tmp_path, "--user", "root", "--force").exit_code == 0
    assert lines(tmp_path) != ["mine"]
