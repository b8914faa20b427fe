"""Names that are no setting: which setting may be meant, and which are none of our business."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

from providers import PLATFORMS

# How alike two names have to be: one or two letters of a word, or other words for the same.
_ALIKE = 0.7
_VERY_ALIKE = 0.88
# Longer ones are no names, and would take their time.
_LONGEST = 60
# Words that people write for the same thing.
_SAME = {
    "TOKEN": {"TOKEN", "KEY", "APIKEY", "APPKEY", "APITOKEN", "PAT", "SAT", "SECRETKEY"},
    "ID": {"ID", "BOT", "BOTID", "APP", "APPID", "AGENT", "AGENTID", "ASSISTANT", "ASSISTANTID"},
    "BASE": {"BASE", "URL", "ADDRESS", "ENDPOINT", "APIBASE", "BASEURL", "DOMAIN", "WEBSITE"},
    "LANGUAGE": {"LANGUAGE", "LANG", "LOCALE"},
    "TITLE": {"TITLE", "NAME"},
    "COLOR": {"COLOR", "COLOUR"},
    "CODES": {"CODES", "CODE"},
    "PASSWORD": {"PASSWORD", "PASSWD", "PWD"},
    "COZE": {"COZE", "KOUZI"},
    "QINGYAN": {"QINGYAN", "CHATGLM", "ZHIPU", "GLM"},
    "WENXIN": {"WENXIN", "BAIDU", "ERNIE"},
    "YUANQI": {"YUANQI", "TENCENT", "HUNYUAN"},
    "HUAWEI": {"HUAWEI", "HUAWEICLOUD"},
}
_PLAIN_WORD = {word: plain for plain, words in _SAME.items() for word in words}
# Of these one says nothing of the setting.
_FILLING = {"API", "ZHIYE"}
# What stands in .env for other programs: Docker, the servers beside ours, the shell.
_OTHERS = re.compile(
    r"(COMPOSE|DOCKER|POSTGRES|PG|MYSQL|REDIS|FLASK|GUNICORN|PYTHON|PIP|UV|NODE|NPM)(_.*|[A-Z]*)"
    r"|SITE_ADDRESS|PUBLISH|DEMO_URL|PATH|TZ|WEB_CONCURRENCY|(HTTPS?|ALL|NO)_PROXY|\w+_IMAGE"
)


def nearest(name: str, known: Iterable[str], least: float = _ALIKE) -> str | None:
    """The name that is most like this one; None when none is."""
    if len(name) > _LONGEST:
        return None
    best = max(known, key=lambda other: sum(_likeness(name, other)), default=None)
    return best if best is not None and max(_likeness(name, best)) >= least else None


def is_of_platform(name: str) -> bool:
    """Whether a name begins as the settings of a platform do."""
    return name.startswith(tuple(f"{platform.upper()}_" for platform in PLATFORMS))


def is_of_others(name: str) -> bool:
    """Whether a name in .env is for another program."""
    return _OTHERS.fullmatch(name) is not None


def mistyped(name: str, known: Iterable[str]) -> str | None:
    """The setting that a variable of the process is surely meant to be.

    An environment is full of names of others, so only those of our platforms may differ much.
    """
    if is_of_platform(name):
        return nearest(name, known)
    alike = (other for other in known if _likeness(name, other)[0] >= _VERY_ALIKE)
    return nearest(name, alike)


def _likeness(one: str, other: str) -> tuple[float, float]:
    """How much two names have in common of their letters, and of what their words mean."""
    letters = SequenceMatcher(None, one, other, autojunk=False).ratio()
    words, others = _words(one), _words(other)
    return letters, len(words & others) / len(words | others)


def _words(name: str) -> set[str]:
    words = [word for word in name.split("_") if word not in _FILLING]
    return {_PLAIN_WORD.get(word, word) for word in words} or {name}
