"""The table of faults: each that the emulator can play, and the code it ends in on each platform.

A code is a reason of the HTTP contract (docs/api.md); "done" means that the site gets the answer
all the same. The documented error codes of each platform are asked in
tests/providers/test_contract.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from providers import PLATFORMS

DONE = "done"
WAYS = ("stream", "json", "form")


@dataclass(frozen=True)
class Fault:
    """One row. `ends` holds for every platform in `on`, unless `but` names another code for one
    of them.

    `whole`: how it ends as JSON, where that differs. `keeps`: text had come before, on these
    platforms. `waits`: on these platforms the visitor hears when to ask again (Retry-After). `at`
    names the site that is asked (harvest.py)."""

    word: str
    what: str
    chinese: str
    ends: str
    but: Mapping[str, str] = field(default_factory=dict, hash=False)
    on: tuple[str, ...] = tuple(PLATFORMS)
    whole: Mapping[str, str] = field(default_factory=dict, hash=False)
    keeps: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()
    at: str = "usual"


@dataclass(frozen=True)
class Cell:
    """One question: a fault, on a platform, asked in one way."""

    fault: Fault
    platform: str
    way: str

    @property
    def code(self) -> str:
        """What it has to end in."""
        code = self.fault.but.get(self.platform, self.fault.ends)
        return self.fault.whole.get(self.platform, code) if self.way == "json" else code

    def __str__(self) -> str:
        return f"{self.fault.word.strip()}-{self.platform}-{self.way}"


ALL = tuple(PLATFORMS)
# What was lost of a stream is read from the platform's own record.
RECORDED = {"coze": DONE}
# No end marker: an answer that ends properly is an answer.
NO_MARK = {"huawei": DONE}
# Asks by its two keys alone.
NO_TOKEN = {"wenxin": DONE}

SPEECHLESS = [
    Fault(
        "!http 400",
        "HTTP 400 with the platform's JSON",
        "HTTP 400，平台的 JSON 错误",
        "unexpected",
        {"coze": "bad_input"},
    ),
    Fault(
        "!http 403",
        "HTTP 403 with the platform's JSON",
        "HTTP 403，平台的 JSON 错误",
        "misconfigured",
    ),
    Fault(
        "!http 404",
        "HTTP 404 with the platform's JSON",
        "HTTP 404，平台的 JSON 错误",
        "misconfigured",
    ),
    Fault("!http 408", "HTTP 408", "HTTP 408", "unavailable"),
    Fault("!http 500", "HTTP 500", "HTTP 500", "unavailable"),
    Fault("!http 502", "HTTP 502", "HTTP 502", "unavailable"),
    Fault("!http 503", "HTTP 503", "HTTP 503", "unavailable"),
    Fault("!http 504", "HTTP 504", "HTTP 504", "unavailable"),
    Fault(
        "!html 200",
        "A web page instead of an answer, HTTP 200",
        "HTTP 200，却是网页而不是回答",
        "unexpected",
    ),
    Fault("!html 404", "A web page, HTTP 404", "网页，HTTP 404", "misconfigured"),
    Fault("!html 500", "A web page, HTTP 500", "网页，HTTP 500", "unavailable"),
    Fault("!html 502", "A gateway's web page, HTTP 502", "网关的网页，HTTP 502", "unavailable"),
    Fault("!html 503", "A web page, HTTP 503", "网页，HTTP 503", "unavailable"),
    Fault("!html 504", "A web page, HTTP 504", "网页，HTTP 504", "unavailable"),
    Fault(
        "!leaky",
        "HTTP 500 that repeats the site's own token",
        "HTTP 500，并把本站的令牌念出来",
        "unavailable",
    ),
    Fault(
        "!nothing 200",
        "HTTP 200 and an empty body",
        "HTTP 200，内容为空",
        "unavailable",
        {"huawei": "empty"},
    ),
    Fault("!nothing 403", "HTTP 403 and an empty body", "HTTP 403，内容为空", "misconfigured"),
    Fault("!nothing 500", "HTTP 500 and an empty body", "HTTP 500，内容为空", "unavailable"),
    Fault("!garbage", "JSON that breaks off", "不完整的 JSON", "unavailable"),
    Fault(
        "!json-error",
        "A JSON error where a stream was asked for",
        "要求流式，却得到 JSON 错误",
        "unavailable",
        {"coze": "bad_input"},
    ),
    Fault(
        "!envelope 3",
        "HTTP 200 and an error in another house's envelope",
        "HTTP 200，却是别家格式的错误",
        "unexpected",
    ),
    Fault(
        "!redirect",
        "A redirect to another host (not followed)",
        "重定向到别的主机（不跟随）",
        "unexpected",
    ),
    Fault(
        "!mistyped",
        "A proper answer under a wrong content type",
        "回答正常，但内容类型不对",
        DONE,
    ),
    Fault("!blocked", "Refused by moderation", "被内容审核拒绝", "blocked"),
    Fault("!unpublished", "The agent is not published", "智能体未发布", "misconfigured"),
    Fault("!unknown", "There is no such agent", "没有这个智能体", "misconfigured"),
    Fault("!empty", "Finishes properly and says nothing", "正常结束，但什么也没说", "empty"),
    Fault(
        "!quota",
        "The account's allowance is used up",
        "账号额度用完",
        "quota_exhausted",
        on=("coze", "qingyan", "wenxin", "yuanqi"),
    ),
]

HALF_SAID = [
    Fault(
        "!cut",
        "The connection dies in the middle of a character",
        "连接在一个字符中间断开",
        "unavailable",
        RECORDED,
        keeps=ALL,
    ),
    Fault(
        "!cut !chop",
        "The same, each byte in a packet of its own",
        "同上，每个字节一个数据包",
        "unavailable",
        RECORDED,
        keeps=ALL,
    ),
    Fault(
        "!short",
        "The stream ends before its end marker",
        "流在结束标记之前就结束了",
        "unavailable",
        {**RECORDED, **NO_MARK},
        keeps=ALL,
    ),
    Fault(
        "!late-error",
        "The platform's own error after some text",
        "说了一部分后平台报错",
        "unavailable",
        keeps=ALL,
    ),
    Fault(
        "!late-error !burst",
        "The same, all in one packet",
        "同上，全部在一个数据包里",
        "unavailable",
        keeps=ALL,
    ),
    Fault(
        "!blocked-late",
        "Moderation after some text",
        "说了一部分后被审核拦下",
        "blocked",
        keeps=ALL,
    ),
]

OWN = [
    Fault(
        "!failed 4028",
        "Accepted, then failed: the balance is used up",
        "接受后失败：余额用完",
        "quota_exhausted",
        on=("coze",),
    ),
    Fault(
        "!sse-error",
        "An `error` event after some text",
        "说了一部分后收到 `error` 事件",
        "unavailable",
        on=("coze",),
        keeps=("coze",),
    ),
    Fault("!done-after-failed", "`done` after an error", "报错之后又说 `done`", DONE, on=("coze",)),
    Fault(
        "!requires-action",
        "The agent wants a tool to be run here",
        "智能体要求在本站运行工具",
        "needs_action",
        on=("coze",),
    ),
    Fault(
        "!no-done",
        "The end marker is missing, the end is not",
        "缺少结束标记，但内容完整",
        DONE,
        on=("coze", "yuanqi"),
    ),
    Fault(
        "!retrieve-http 502",
        "Every poll fails with HTTP 502",
        "每次轮询都返回 HTTP 502",
        DONE,
        on=("coze",),
        whole={"coze": "unavailable"},
    ),
    Fault(
        "!no-data",
        "The list of messages lacks its data",
        "消息列表没有数据",
        DONE,
        on=("coze",),
        whole={"coze": "empty"},
    ),
    Fault(
        "!early-list 2",
        "The first lists of messages lack the answer",
        "前两次消息列表里还没有回答",
        DONE,
        on=("coze",),
    ),
    Fault(
        "!half-list",
        "The list of messages never has the answer",
        "消息列表里始终没有回答",
        DONE,
        on=("coze",),
        whole={"coze": "empty"},
    ),
    Fault(
        "!half-list !cut",
        "The same, and the stream breaks off",
        "同上，流也中途断开",
        "unavailable",
        on=("coze",),
        whole={"coze": "empty"},
        keeps=("coze",),
    ),
    Fault(
        "!late-chat",
        "The first poll does not know the chat yet",
        "第一次查询时还查不到对话",
        DONE,
        on=("coze",),
    ),
    Fault(
        "!dead",
        "A conversation that is refused for ever",
        "会话从此被拒绝",
        DONE,
        on=("coze",),
    ),
    Fault(
        "!expired-later",
        "The token is refused in the middle of polling",
        "轮询途中令牌被拒绝一次",
        DONE,
        on=("coze",),
        whole={"coze": "misconfigured"},
        at="alone",
    ),
    Fault(
        "!intervene",
        "Withdrawn by moderation, with a text instead",
        "被审核撤回，换成另一段话",
        "blocked",
        {"wenxin": DONE},
        on=("qingyan", "wenxin"),
        keeps=("qingyan",),
    ),
    Fault("!mute", "A stream without a word", "流里一个字也没有", DONE, on=("qingyan", "wenxin")),
    Fault("!failing", "A tool of the agent fails", "智能体的工具失败", DONE, on=("qingyan",)),
    Fault(
        "!suggest-http 500",
        "The follow-up questions fail",
        "推荐问题获取失败",
        DONE,
        on=("qingyan",),
    ),
    Fault("!no-end", "The stream lacks its end marker", "流缺少结束标记", DONE, on=("wenxin",)),
    Fault(
        "!two !one-section",
        "The stream closes between two sections",
        "流在两段之间关闭",
        DONE,
        on=("wenxin",),
    ),
    Fault(
        "!tool-fail",
        "A tool of the agent fails, and so does the answer",
        "智能体的工具失败，回答也失败",
        "unavailable",
        on=("yuanqi",),
        keeps=("yuanqi",),
    ),
    Fault(
        "!unasked",
        "JSON instead of a stream, a stream instead of JSON",
        "要流式给 JSON，要 JSON 给流式",
        DONE,
        on=("yuanqi",),
    ),
    Fault("!step-failed", "A step of the agent fails", "智能体的步骤失败", DONE, on=("huawei",)),
    Fault(
        "!apology",
        "An answer that is the platform's own apology",
        "回答其实是平台的道歉",
        "misconfigured",
        on=("huawei",),
    ),
    Fault(
        "!apigw 999",
        "An unknown code of the gateway",
        "网关的未知错误码",
        "unexpected",
        on=("huawei",),
    ),
]

SLOW = [
    Fault(
        "!silent",
        "Takes the question and never answers",
        "接了问题却一直不回答",
        "timeout",
        at="short",
    ),
    Fault("!endless", "Never stops talking", "说个不停", "timeout", keeps=ALL, at="short"),
    Fault("!slow 20", "The first word comes too late", "第一个字来得太晚", "timeout", at="short"),
    Fault("!pause 20", "Falls silent in the middle", "中途沉默", "timeout", keeps=ALL, at="short"),
    Fault(
        "!stuck",
        "Says everything and never ends",
        "说完了却不结束",
        "timeout",
        on=("coze",),
        keeps=("coze",),
        at="short",
    ),
    Fault(
        "!pings 20",
        "Sends signs of life and nothing else",
        "只发心跳，什么也不说",
        "timeout",
        on=("wenxin",),
        at="short",
    ),
]

# These make a platform refuse a token for everybody who shares it: asked one after another.
TOKENS = [
    Fault(
        "!expired",
        "The token is refused once",
        "令牌被拒绝一次",
        "misconfigured",
        {"qingyan": DONE, **NO_TOKEN},
        at="alone",
    ),
    Fault(
        "!unauthorized",
        "The token is always refused",
        "令牌始终被拒绝",
        "misconfigured",
        at="alone",
    ),
    Fault(
        "!http 401",
        "HTTP 401 with the platform's JSON",
        "HTTP 401，平台的 JSON 错误",
        "misconfigured",
        at="alone",
    ),
]

# After these the account is left alone for a while: asked one after another.
REFUSED = [
    Fault(
        "!busy",
        "Too many requests, in the platform's way",
        "请求过多（平台自己的说法）",
        "rate_limited",
        waits=ALL,
        at="paused",
    ),
    Fault(
        "!http 429",
        "HTTP 429 with the platform's JSON",
        "HTTP 429，平台的 JSON 错误",
        "rate_limited",
        waits=ALL,
        at="paused",
    ),
    Fault(
        "!nothing 429",
        "HTTP 429 and an empty body",
        "HTTP 429，内容为空",
        "rate_limited",
        waits=ALL,
        at="paused",
    ),
    Fault(
        "!quota ",
        "The allowance is used up; there is no code for it",
        "额度用完，平台没有对应错误码",
        "rate_limited",
        on=("huawei",),
        waits=("huawei",),
        at="paused",
    ),
]

FAULTS = [*SPEECHLESS, *HALF_SAID, *OWN, *SLOW, *TOKENS, *REFUSED]


CELLS = [Cell(fault, platform, way) for fault in FAULTS for platform in fault.on for way in WAYS]
