"""What the owner wrote and the site did not read, or read otherwise, with what to do."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pydantic.fields import FieldInfo

from chat.settings import agents_file, env_file, names
from chat.settings.agents_file import AgentsFile
from chat.settings.charset import UTF8
from chat.settings.env_file import EnvFile, Line, UnreadLine
from chat.settings.environment import (
    DOTENV,
    environment,
    is_secret,
    process_names,
    read_env_file,
    setting_name,
)
from chat.settings.errors import SettingsError
from chat.settings.home import HOME
from chat.settings.model import Settings
from chat.settings.words import Sentence, Words, sentence
from providers.options import example_of

# More would hide what matters.
MOST = 20
_AGENTS_FILE = HOME / "agents.toml"
_EXAMPLE = HOME / "config.example.env"
# What .env is called by mistake: Windows hides endings and adds one, others drop the dot.
_MISNAMED = (
    *(".env.txt", ".env.env", ".env.local", ".env.example", ".env.sample", ".env.production"),
    *("env", "env.txt", "_env", "dotenv", "config.env", "config.env.txt", "。env", ".env.bak"),
)
# These lie beside a .env on purpose.
_COPIES = (".env.example", ".env.sample", ".env.production", ".env.bak", "env")
# A name that is no setting may be half of a secret that was pasted.
_HARMLESS_NAME = re.compile(r"(?=.{2,40}$)[A-Z]+\d?(_[A-Z]+\d?)+|[A-Z]{2,16}")


class Notice(NamedTuple):
    """One thing that was not read as it stands, and what to do about it."""

    seen: Sentence
    to_do: Sentence

    def say(self, language: str) -> str:
        """Both in one line."""
        return f"{self.seen.say(language)} → {self.to_do.say(language)}"


NOTICES: dict[str, tuple[Words, Words]] = {
    "unknown_name": (
        Words("{place}：没有这个设置，未读取", "{place}: there is no such setting; it is not read"),
        Words(
            "删掉它，或改用 {settings_help} 里的名称",
            "Remove it, or use a name from {settings_help}",
        ),
    ),
    "near_name": (
        Words(
            "{place}：是不是 {nearest}？现在未读取", "{place}: is {nearest} meant? It is not read"
        ),
        Words("把名称改为 {nearest}", "Rename it to {nearest}"),
    ),
    "odd_line": (
        Words("{place}：无法识别，未读取", "{place}: not understood, and not read"),
        Words("写成 名称=值，一行一项", "Write NAME=value, one setting a line"),
    ),
    "no_sign": (
        Words("{place}：没有等号，未读取", "{place}: there is no = in it; it is not read"),
        Words("写成 {name}=值", "Write {name}=value"),
    ),
    "comment": (
        Words("{place}：前面有 #，是注释，未读取", "{place}: a comment, since it begins with #"),
        Words("去掉行首的 #", "Remove the # at the beginning of the line"),
    ),
    "unset_variable": (
        Words("{place}：{variable} 没有设置，当作空", "{place}: {variable} is not set, and empty"),
        Words(
            "写出值本身，或先设置好 {variable}", "Write the value itself, or set {variable} before"
        ),
    ),
    "repeated": (
        Words(
            "{place}：第 {last} 行又写了一次，用的是第 {last} 行",
            "{place}: it is in line {last} again, and that one counts",
        ),
        Words("删掉第 {line} 行", "Remove line {line}"),
    ),
    "charset": (
        Words(
            "{path} 的编码是 {charset}，已照此读取", "{path} is in {charset}, and was read as such"
        ),
        Words(
            "另存为 UTF-8（记事本：另存为 › 编码选 UTF-8），"
            "或运行 iconv -f {charset} -t UTF-8 {path} > {path}.new && mv {path}.new {path}",
            "Save it as UTF-8 (Notepad: Save as › Encoding), "
            "or run iconv -f {charset} -t UTF-8 {path} > {path}.new && mv {path}.new {path}",
        ),
    ),
    "folder": (
        Words(
            "{path} 是文件夹，不是文件，未读取", "{path} is a folder, not a file, and is not read"
        ),
        Words("rmdir {path}，再建一个文件 {path}", "rmdir {path}, then make a file {path}"),
    ),
    "misnamed": (
        Words("有 {path}，但站点只读取 .env", "There is {path}, but only .env is read"),
        Words("mv {path} .env", "mv {path} .env"),
    ),
    "beside": (
        Words("有 {path}，未读取：站点只读取 .env", "There is {path}; it is not read, .env is"),
        Words("把里面的设置移到 .env，再删掉它", "Move its settings to .env, and remove it"),
    ),
    "example": (
        Words(
            "{path} 里填了设置（{names}），但站点只读取 .env",
            "{path} has settings ({names}), but only .env is read",
        ),
        Words("cp {path} .env", "cp {path} .env"),
    ),
    "agents_unnamed": (
        Words(
            "有 {path}，未读取：没有设置 AGENTS_FILE",
            "There is {path}; it is not read, for AGENTS_FILE is not set",
        ),
        Words("在 .env 里加一行 AGENTS_FILE={path}", "Add AGENTS_FILE={path} to .env"),
    ),
    "agents_signs": (
        Words(
            '{path} 第 {lines} 行有中文标点（＝ “ ”），已当作 = 和 " 读取',
            '{path}, line {lines}: full-width signs were read as = and "',
        ),
        Words("改成英文标点", "Write = and plain quotes"),
    ),
    "agents_key": (
        Words("{path}：没有 {name} 这一项，未读取", "{path}: there is no {name}; it is not read"),
        Words("每个智能体写一个 [[agents]] 表", "Write one [[agents]] table for each agent"),
    ),
}


def notices() -> list[Notice]:
    """All notices about the files and the environment of this site, the first MOST of them."""
    return list(islice(_all(), MOST))


def _all() -> Iterator[Notice]:
    try:
        file = read_env_file()
    except SettingsError:
        # The start ends with that.
        return
    yield from _files()
    if file.charset != UTF8:
        yield _notice("charset", path=".env", charset=file.charset)
    own_names, others = _known_names(), _names_of_others()
    yield from _lines(file, own_names, others)
    yield from _variables(own_names, others)
    yield from _agents_file()


def _files() -> Iterator[Notice]:
    if DOTENV.is_dir():
        yield _notice("folder", path=DOTENV)
    has_env_file = DOTENV.is_file()
    for name in _MISNAMED:
        path = HOME / name
        if path.is_file() and not (has_env_file and name in _COPIES):
            yield _notice("beside" if has_env_file else "misnamed", path=path)
    if not has_env_file and (filled := sorted(_values(_EXAMPLE))):
        yield _notice("example", path=_EXAMPLE, names=", ".join(filled[:3]))


def _values(path: Path) -> Iterable[str]:
    """The names of what a file sets, empty for one that cannot be read."""
    try:
        return env_file.read(path).values
    except (OSError, UnicodeDecodeError):
        return ()


def _lines(file: EnvFile, own_names: set[str], others: set[str]) -> Iterator[Notice]:
    yield from (_unread(line, own_names) for line in file.unread)
    for line, last in env_file.repeated(file.lines):
        if setting_name(line.name) in own_names:
            place = _place(line.number, line.name)
            yield _notice("repeated", place=place, line=line.number, last=last.number)
    yield from _comments(file)
    yield from _unset_variables(file.lines)
    mentioned = {name for line in file.lines for name in re.findall(r"\$\{(\w+)", line.value)}
    for line in file.lines:
        name = setting_name(line.name)
        if name not in own_names and not {line.name, name} & (others | mentioned):
            yield from _unknown(line, own_names)


def _comments(file: EnvFile) -> Iterator[Notice]:
    """Credentials that somebody filled in and left behind their #: the site has no others."""
    fields = Settings.model_fields
    accounts = {name.upper() for name in fields if _is_of_account(name, fields[name])}
    filled = {setting_name(name) for name, text in environment().items() if text}
    if filled & ({name for name in accounts if is_secret(fields[name.lower()])} | {"AGENTS_FILE"}):
        return
    for line in file.comments:
        name = setting_name(line.name)
        if name in accounts - filled and line.value not in ("", example_of(fields[name.lower()])):
            yield _notice("comment", place=_place(line.number, name))


def _is_of_account(name: str, field: FieldInfo) -> bool:
    return names.is_of_platform(name.upper()) and field.default is None


def _unset_variables(lines: Iterable[Line]) -> Iterator[Notice]:
    """A `${NAME}` without a value: python-dotenv makes nothing of it."""
    filled = {*process_names()}
    for line in lines:
        for name in re.findall(r"\$\{([^}:]+)\}", line.value):
            if name not in filled:
                is_harmless = _HARMLESS_NAME.fullmatch(name) is not None
                variable = f"${{{name if is_harmless else '...'}}}"
                yield _notice(
                    "unset_variable", place=_place(line.number, line.name), variable=variable
                )
        filled.add(line.name)


def _unread(line: UnreadLine, own_names: set[str]) -> Notice:
    name = setting_name(line.word)
    if name in own_names:
        return _notice("no_sign", place=_place(line.number, name), name=name)
    return _notice("odd_line", place=_place(line.number))


def _unknown(line: Line, own_names: set[str]) -> Iterator[Notice]:
    name = setting_name(line.name)
    if nearest := names.nearest(name, own_names):
        yield _notice("near_name", place=_place(line.number, line.name), nearest=nearest)
    elif not names.is_of_others(name):
        is_harmless = _HARMLESS_NAME.fullmatch(line.name) is not None
        yield _notice("unknown_name", place=_place(line.number, line.name if is_harmless else ""))


def _variables(own_names: set[str], others: set[str]) -> Iterator[Notice]:
    """Of the process's own variables only those that are surely meant for us."""
    for variable in sorted(process_names()):
        name = setting_name(variable)
        if name in own_names or names.is_of_others(name) or {variable, name} & others:
            continue
        place = Words(f"环境变量 {variable}", f"the variable {variable}")
        if nearest := names.mistyped(name, own_names):
            yield _notice("near_name", place=place, nearest=nearest)
        elif names.is_of_platform(name):
            yield _notice("unknown_name", place=place)


def _agents_file() -> Iterator[Notice]:
    path = _agents_path()
    if path is None:
        if _AGENTS_FILE.is_file():
            yield _notice("agents_unnamed", path=_AGENTS_FILE)
        return
    file = _read_agents(path)
    if file.charset != UTF8:
        yield _notice("charset", path=path, charset=file.charset)
    if file.mended:
        yield _notice("agents_signs", path=path, lines=", ".join(map(str, sorted(file.mended))))
    for key in file.document.keys() - {"agents"}:
        if "agents" in file.document:
            yield _notice("agents_key", path=path, name=repr(key[:40]))


def _agents_path() -> Path | None:
    text = environment().get("AGENTS_FILE")
    return HOME / text if text else None


def _read_agents(path: Path) -> AgentsFile:
    """The file of agents; an empty one where it cannot be read, which ends the start anyway."""
    try:
        return agents_file.read(path)
    except (OSError, ValueError):
        return AgentsFile({})


def _known_names() -> set[str]:
    fields = Settings.model_fields.items()
    files = {f"{name.upper()}_FILE" for name, field in fields if is_secret(field)}
    return {name.upper() for name in Settings.model_fields} | files


def _names_of_others() -> set[str]:
    """The variables that agents.toml asks for by name."""
    path = _agents_path()
    text = str(_read_agents(path).document) if path else ""
    variables = set(re.findall(r"\{'env': '(\w+)'\}", text))
    return variables | {f"{name}_FILE" for name in variables}


def _place(number: int, name: str = "") -> Words:
    return Words(f".env 第 {number} 行 {name}".rstrip(), f".env, line {number} {name}".rstrip())


def _notice(id: str, **facts: object) -> Notice:
    seen, to_do = NOTICES[id]
    return Notice(sentence(seen, **facts), sentence(to_do, **facts))
