"""One row a platform: what it is called, where its provider is, and what it can do.

Adding a platform is adding a row here and the folder it names; pages, documents, the doctor and the
tests read these rows.
"""

import importlib
from dataclasses import dataclass
from typing import Any

from providers.options import AgentOptions, Signs


@dataclass(frozen=True)
class Limits:
    """What a platform's account may be asked; 0 means that no limit is known.

    `qps`: calls a second, polls included. `concurrency`: answers at once. `daily`: questions a day,
    which begins at midnight in China. Each may be changed by the option of the same name.
    """

    qps: float = 0
    concurrency: int = 0
    daily: int = 0


@dataclass(frozen=True)
class Row:
    """A platform. `folder` has `options` with `Options`, a pydantic model of what an agent needs,
    and `SIGNS`, by which a paste is recognised; `codes` with `ERRORS`, its codes in our names; and
    `provider` with `PROVIDER`, the class.

    `account` names the options that tell one account from another: agents of the same account share
    its limits. `streams`: text comes while it is made. `remembers`: the platform keeps the history,
    else we send it. `branches`: where it remembers it accepts another history, so that a
    question can be asked again. `files`, `images`: the endings of what a question may bring.
    `cancels`: Stop ends the work there, else only our connection. `suggests`: it offers follow-up
    questions. `counts`: it tells the tokens used. `records`: an answer whose reader was lost can be
    read again. `clears`: it can forget a conversation and go on with it. `fetches`: it takes files
    by addresses that it can reach. `grants`: its owner may grant tokens that have to be stored.
    `shares_tokens`: processes should not each fetch a token of their own.
    `introduces`: it tells the agent's name, welcome and first questions. `pictures`: the hosts,
    with all below them, from which its pictures and icons come over https.
    """

    title: str
    english: str
    folder: str
    account: tuple[str, ...]
    limits: Limits = Limits()
    streams: bool = True
    remembers: bool = True
    branches: bool = True
    files: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    cancels: bool = False
    suggests: bool = False
    counts: bool = False
    records: bool = False
    clears: bool = False
    fetches: bool = False
    grants: bool = False
    shares_tokens: bool = False
    introduces: bool = False
    pictures: tuple[str, ...] = ()


PLATFORMS: dict[str, Row] = {
    "coze": Row(
        "扣子",
        "Coze",
        "providers.coze",
        account=("api_base", "api_token", "jwt_app_id", "oauth_client_id"),
        limits=Limits(qps=20),
        files=tuple(
            "doc docx xls xlsx ppt pptx pdf numbers csv cpp py java c wav mp3 flac m4a aac ogg "
            "mp4 avi mov webm mkv rar zip 7z gz bz2".split()
        ),
        images=("jpg", "jpeg", "png", "gif", "webp", "heic", "heif", "bmp", "tiff"),
        clears=True,
        grants=True,
        introduces=True,
        # Not documented: seen in published answers and icons, which are signed addresses that
        # expire.
        pictures=("byteimg.com", "oceancloudapi.com", "lf-bot-studio-plugin-resource.coze.cn"),
        cancels=True,
        suggests=True,
        counts=True,
        records=True,
    ),
    "qingyan": Row(
        "智谱清言",
        "Qingyan",
        "providers.qingyan",
        account=("api_base", "api_key"),
        limits=Limits(concurrency=2, daily=500),
        branches=False,
        files=("pdf", "docx", "doc", "txt", "pptx", "md", "epub"),
        images=("jpg", "jpeg", "png", "webp", "gif"),
        shares_tokens=True,
        pictures=("sfile.chatglm.cn",),
        suggests=True,
        counts=True,
    ),
    "wenxin": Row(
        "文心智能体",
        "Wenxin",
        "providers.wenxin",
        account=("api_base", "app_id"),
        limits=Limits(daily=500),
        branches=False,
    ),
    "yuanqi": Row(
        "腾讯元器",
        "Yuanqi",
        "providers.yuanqi",
        account=("api_token",),
        limits=Limits(concurrency=10),
        remembers=False,
        files=("pdf", "doc", "docx", "txt"),
        images=("jpg", "jpeg", "png", "webp", "gif"),
        fetches=True,
        counts=True,
    ),
    "huawei": Row(
        "华为云 AI 原生应用引擎",
        "Huawei Cloud",
        "providers.huawei",
        account=("api_key",),
    ),
}


def load(platform: str) -> Any:
    """The module of a platform's provider, imported when it is first needed."""
    return importlib.import_module(f"{PLATFORMS[platform].folder}.provider")


def error_codes(platform: str) -> Any:
    """The module with a platform's error codes: `ERRORS`, an error of ours for each of theirs."""
    return importlib.import_module(f"{PLATFORMS[platform].folder}.codes")


def options(platform: str) -> type[AgentOptions]:
    """The options of a platform. To know them costs little: the provider is not imported."""
    module = importlib.import_module(f"{PLATFORMS[platform].folder}.options")
    model: type[AgentOptions] = module.Options
    return model


def signs(platform: str) -> Signs:
    """How what is copied from a platform is recognised."""
    module = importlib.import_module(f"{PLATFORMS[platform].folder}.options")
    own: Signs = module.SIGNS
    return own
