"""The wheel: it holds the whole site in one folder, and serves from any other."""

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chat.owner.commands import COMMANDS
from chat.release import ROOT, version
from tests.kit.site import PATIENCE_S, Site, Visitor, environment

# What a person keeps in a folder of their own must not be taken for ours.
DECOY = 'raise SystemExit("the owner\'s own file was run")\n'


@dataclass
class Installation:
    """A virtual environment with the wheel, and an empty folder beside it."""

    wheel: Path
    program: Path
    folder: Path

    def run(
        self, *arguments: str, folder: Path | None = None, **settings: object
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *arguments],
            cwd=folder or self.folder,
            env=environment(**{"PYTHONPATH": "", **settings}),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as the Dockerfile does it: from nothing but what .dockerignore lets in."""
    context = tmp_path_factory.mktemp("context")
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line.startswith("!/"):
            _copy(ROOT / line[2:], context)
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=context, check=True, capture_output=True, timeout=PATIENCE_S)
    (path,) = folder.glob("*.whl")
    return path


def _copy(source: Path, folder: Path) -> None:
    if source.is_dir():
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, folder / source.name, ignore=ignore)
    else:
        shutil.copy(source, folder)


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """What the wheel needs comes from the packages of the tests; only it is installed."""
    folder = tmp_path_factory.mktemp("installation")
    venv.create(folder / "venv", with_pip=False)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "tested.pth").write_text(sysconfig.get_path("purelib"))
    python = folder / "venv" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index"]
    subprocess.run(
        [*install, "--no-deps", str(wheel)], check=True, capture_output=True, timeout=PATIENCE_S
    )
    (folder / "empty").mkdir()
    return Installation(wheel, python.with_name("zhiye"), folder / "empty")


@pytest.fixture(scope="module")
def installed_site(installation: Installation) -> Iterator[Site]:
    for name in ("app.py", "gunicorn.conf.py", "chat.py"):
        (installation.folder / name).write_text(DECOY)
    command = (str(installation.program), "run")
    site = Site(installation.folder, {"PYTHONPATH": ""}, command=command)
    try:
        yield site.start()
    finally:
        site.end()


def test_the_wheel_adds_one_name_to_an_environment(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert tops == {"zhiye", f"zhiye-{version()}.dist-info"}


def test_the_wheel_holds_what_runs_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name.removeprefix("zhiye/") for name in archive.namelist()}
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("needs a checkout")
    tracked = {path for path in listing.stdout.splitlines() if (ROOT / path).is_file()}
    folders = ("chat/", "emulator/", "providers/", "static/js/", "static/vendor/", "templates/")
    runs = {path for path in tracked if path.startswith(folders) and not path.endswith(".po")}
    alone = {"app.py", "gunicorn.conf.py", "CHANGELOG.md", "LICENSE", "docs/openapi.yaml"}
    assert (runs | alone | {"static/css/page.css", "deploy/zhiye.service"}) <= packed
    strangers = ("tests/", "bench/", "tools/", "static/css/parts/", "static/css/desk/")
    assert not [name for name in packed if name.startswith(strangers) or "__pycache__" in name]


def test_the_wheel_asks_for_the_packages_that_are_tested(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"zhiye-{version()}.dist-info/METADATA").decode()
    wanted = re.findall(r"^[\w.\[\]-]+==[\w.]+", (ROOT / "requirements.in").read_text(), re.M)
    assert sorted(re.findall(r"^Requires-Dist: (\S+)$", metadata, re.M)) == sorted(
        name.lower() for name in wanted
    )
    assert "\nRequires-Python: >=3.11\n" in metadata


def test_from_an_empty_folder_it_serves_the_demo(installed_site: Site) -> None:
    visitor = Visitor(installed_site.url)
    page = visitor.get("/", headers={"Accept-Language": "zh"}).text
    assert 'lang="zh' in page and "演示" in page
    (style,) = re.findall(r'href="(/static/[^"]+\.css)"', page)
    assert visitor.get(style).ok and visitor.get("/openapi.yaml").ok
    answer = visitor.ask("你好")
    assert answer.ok and "你好" in answer.json()["replies"][0]


def test_the_data_is_in_the_folder_where_it_was_started(
    installed_site: Site, installation: Installation
) -> None:
    Visitor(installed_site.url).ask("hi")
    assert (installation.folder / "instance" / "chat.db").is_file()
    assert not list(installation.program.parents[1].rglob("chat.db"))


def test_the_owner_has_every_command_from_anywhere(
    installed_site: Site, installation: Installation, tmp_path: Path
) -> None:
    Visitor(installed_site.url).ask("hi")
    home = {"ZHIYE_HOME": installation.folder, "LANG": "en_GB.UTF-8"}
    listed = installation.run("--help").stdout
    assert all(f"  {command.name} " in listed for command in COMMANDS)
    copied = installation.run("backup", "copy.db", folder=tmp_path, **home)
    assert copied.returncode == 0 and "Backed up to copy.db" in copied.stdout
    assert (tmp_path / "copy.db").stat().st_size > 0


def test_a_wrong_setting_ends_the_start_with_a_command_that_is_there(
    installation: Installation, tmp_path: Path
) -> None:
    ended = installation.run("run", folder=tmp_path, PORT="none")
    assert ended.returncode != 0 and "PORT" in ended.stderr
    assert "zhiye doctor" in ended.stderr and "make" not in ended.stderr
    assert "Write PORT=8000" in ended.stderr
    example = installation.run("settings").stdout
    assert example == (ROOT / "config.example.env").read_text(encoding="utf-8")
