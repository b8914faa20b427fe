"""Sentences to the owner: Chinese and English side by side, filled with facts."""

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chat.release import PROGRAM, SETTINGS_HELP

LANGUAGES = ("zh", "en")
# Facts that every sentence may name.
_EVERYWHERE = {"program": PROGRAM, "settings_help": SETTINGS_HELP}


class Words(NamedTuple):
    """One sentence in Chinese and in English. Facts stand in braces, the same in both.

    {program} is what begins a command of the owner, {settings_help} where settings are explained.
    """

    zh: str
    en: str

    def say(self, language: str, facts: Mapping[str, Any] | None = None) -> str:
        """The sentence in a language ("en", else Chinese), with its facts."""
        template = self.en if language == "en" else self.zh
        filled = {name: in_language(fact, language) for name, fact in (facts or {}).items()}
        return template.format_map({**_EVERYWHERE, **filled})


@dataclass(frozen=True)
class Sentence:
    """Words with their facts. A fact may be a sentence or an error itself."""

    words: Words
    facts: Mapping[str, Any] = field(default_factory=dict)

    def say(self, language: str) -> str:
        return self.words.say(language, self.facts)


def sentence(words: Words, **facts: Any) -> Sentence:
    """Words with these facts."""
    return Sentence(words, facts)


def in_language(fact: Any, language: str) -> Any:
    """A fact as a sentence needs it: what has words in both languages speaks this one."""
    if isinstance(fact, Words):
        return fact.en if language == "en" else fact.zh
    if isinstance(fact, Exception):
        fact = _words_of(fact) or fact
    return fact.say(language) if hasattr(fact, "say") else fact


# Between a name and what is said of it.
COLON = Words("：", ": ")
NOT_A_TEXT = Words("编码不是 UTF-8、UTF-16 或 GBK", "neither UTF-8 nor UTF-16 nor GBK")
SYSTEM_ERRORS: dict[int | None, Words] = {
    errno.ENOENT: Words("没有这个文件或文件夹", "no such file or folder"),
    errno.EACCES: Words("没有权限", "permission denied"),
    errno.EPERM: Words("没有权限", "not permitted"),
    errno.ENOTDIR: Words("路径中有一段不是文件夹", "a part of the path is not a folder"),
    errno.EISDIR: Words("是文件夹，不是文件", "it is a folder, not a file"),
    errno.EEXIST: Words("已有同名的文件", "there is a file of this name"),
    errno.EFBIG: Words("文件太大", "the file is too large"),
    errno.EROFS: Words("文件系统是只读的", "the file system is read-only"),
    errno.ENOSPC: Words("磁盘已满", "the disk is full"),
    errno.ENAMETOOLONG: Words("文件名太长", "the file name is too long"),
    errno.ELOOP: Words("符号链接指向自己", "a symbolic link leads to itself"),
}
# By the names that sqlite3's errors carry.
DATABASE_ERRORS: dict[str, Words] = {
    "SQLITE_CANTOPEN": Words("文件打不开", "the file cannot be opened"),
    "SQLITE_NOTADB": Words("文件不是数据库", "the file is not a database"),
    "SQLITE_CORRUPT": Words("数据库已损坏", "the database is damaged"),
    "SQLITE_READONLY": Words("数据库是只读的", "the database is read-only"),
    "SQLITE_BUSY": Words("数据库正被别的进程占用", "another process holds the database"),
    "SQLITE_FULL": Words("磁盘已满", "the disk is full"),
    "SQLITE_IOERR": Words("读写磁盘时出错", "the disk cannot be read or written"),
    "SQLITE_PERM": Words("没有权限", "permission denied"),
}


def _words_of(error: Exception) -> Words | None:
    """The words for an error of the system or of SQLite; None for any other."""
    if isinstance(error, OSError):
        return SYSTEM_ERRORS.get(error.errno)
    if isinstance(error, UnicodeDecodeError):
        return NOT_A_TEXT
    # Extended codes, such as SQLITE_READONLY_DIRECTORY, begin with the name of their kind.
    name = getattr(error, "sqlite_errorname", "")
    return next((words for kind, words in DATABASE_ERRORS.items() if name.startswith(kind)), None)
