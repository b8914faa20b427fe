"""What the emulated Wenxin answers: sections of text, pictures, sources, told as packets or as a
whole.

Words of Wenxin's own, besides those all platforms share (platforms/wenxin.md §10):

    !tool       progress before the answer
    !image      uiData: one picture, then a list, repeated
    !two        two sections, both isFinished
    !replace    a section that is replaced by its real text
    !intervene  replaced by moderation (isIntervene)
    !cite       a referenceList
    !no-end     the stream lacks endTurn
    !one-section  the stream closes after the first section, all of it by getAnswer
    !mute       nothing on the stream, all by getAnswer
    !pings N    N seconds of pings and nothing else
    !stock      "I do not know" as a success
    !fence      JSON in a Markdown fence
    !no-ids     packets without a threadId but the first

`!late-code X` is status X after some pieces (1003 for !late-error), !blocked is 1113. There are
no tokens to ask with, no reasoning and no suggestions: !expired, !think and !suggest change
nothing."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from emulator.settings import EmulatorSettings
from emulator.speech import HALVES, Speech, gap_s, pieces
from emulator.stream import Step, Wait, answer_steps
from emulator.words import MagicWords

Fields = dict[str, Any]

PING = b"event:ping\n\n"
STOCK = "您的问题我还不知道，麻烦换个问题试试~"
FENCED = '```json\n{"answer": "周日 10:00 开门"}\n```'
WITHDRAWN = "这个话题我们换一个吧。"
_SOURCES = [{"text": "示例天气", "url": "https://weather.example/a"}]


class Plan:
    """The answer to one question in both of its forms."""

    def __init__(
        self,
        ids: dict[str, str],
        logid: str,
        speech: Speech,
        words: MagicWords,
        settings: EmulatorSettings,
        picture: str,
    ) -> None:
        self._ids, self._logid, self._words, self._settings = ids, logid, words, settings
        self._picture = picture
        self._replies = _replies(speech, words)

    def steps(self) -> Iterator[Step]:
        """The stream."""
        words, settings = self._words, self._settings
        if words.has("mute"):
            yield PING
            return
        frames = self._pieces()
        if words.has("pings"):
            yield from _pings(words.number("pings", 3.0))
        yield from answer_steps(
            words,
            self._opening(),
            frames,
            self._closing(),
            gap_s=gap_s(len(frames), words, settings),
            silence_s=settings.silence_s,
            middle=[PING, *self._strange()],
            instead=self._failure(),
        )

    def wait_s(self) -> float:
        """How long getAnswer takes: as long as the stream would."""
        words = {
            word: values
            for word, values in self._words.numbers.items()
            if word not in ("endless", "mute")
        }
        if self._words.has("endless"):
            return self._settings.silence_s
        quiet = Plan(
            self._ids,
            self._logid,
            Speech(self._replies, "", ()),
            MagicWords(words),
            self._settings,
            "",
        )
        return sum(step.seconds for step in quiet.steps() if isinstance(step, Wait))

    def whole(self) -> bytes:
        """The answer of getAnswer."""
        code = self._failure_code()
        if code is not None:
            return self.json({"status": code, "message": "generate failed", "data": None})
        replies = (WITHDRAWN,) if self._words.has("intervene") else self._replies
        content = [self._whole_item(reply) for reply in replies]
        content += [{"dataType": "uiData", "data": card} for card in self._cards()]
        data: Fields = {"content": content, **self._ids}
        if self._words.has("cite"):
            data["referenceList"] = _SOURCES
        return self.json({"status": 0, "message": "succ", "data": data})

    def json(self, payload: Fields) -> bytes:
        fields = {**payload, "logid": self._logid}
        return json.dumps(
            fields, ensure_ascii=self._settings.wenxin_escaped_json, separators=(",", ":")
        ).encode("utf-8", HALVES)

    def _opening(self) -> list[bytes]:
        frames = [PING, self._packet(None, **self._ids)]
        if self._words.has("tool"):
            for status in ("ing", "finish"):
                tool = {"status": status, "toolName": "demo_search", "title": "正在搜索"}
                frames.append(
                    self._packet([{"data": None, "isFinished": False, "progress": _tools(tool)}])
                )
        frames.append(self._packet([{"dataType": "markdown", "data": None, "isFinished": False}]))
        frames += [self._packet([_item("uiData", card)]) for card in self._cards()]
        return frames

    def _pieces(self) -> list[bytes]:
        streamed = self._replies[:1] if self._words.has("one-section") else self._replies
        return [
            frame
            for number, reply in enumerate(streamed, 1)
            for frame in self._section(number, reply)
        ]

    def _section(self, number: int, reply: str) -> Iterator[bytes]:
        section = {"sectionId": f"s{number}"}
        if self._words.has("replace"):
            yield self._packet([{**_item("markdown", _text("草稿，马上就改。")), **section}])
            yield self._packet([{**_item("markdown", _text(reply, "replace"), True), **section}])
            return
        parts = pieces(reply, self._words, self._settings) or [""]
        for index, part in enumerate(parts):
            is_last = index == len(parts) - 1
            yield self._packet([{**_item("markdown", _text(part), is_last), **section}])

    def _closing(self) -> list[bytes]:
        words = self._words
        frames: list[bytes] = []
        if words.has("one-section"):
            return frames
        if words.has("intervene"):
            withdrawn = _text(WITHDRAWN, "replace") | {"isIntervene": True}
            frames.append(self._packet([{**_item("markdown", withdrawn, True), "sectionId": "s1"}]))
        if words.has("cite"):
            frames.append(self._packet(None, referenceList=_SOURCES))
        if not words.has("no-end"):
            frames.append(self._packet(None, endTurn=True))
        return [*frames, self._packet(None), self._packet(None)]

    def _strange(self) -> list[bytes]:
        if not self._words.has("strange"):
            return []
        odd = [
            {"dataType": "hologram", "data": {"x": [1, None]}},
            {"dataType": "null", "data": "x"},
            None,
            7,
        ]
        return [
            self._packet(odd, msgType="normal", suggestion={"suggestionList": [{"text": "x"}]}),
            _odd(),
        ]

    def _failure(self) -> list[bytes] | None:
        code = self._failure_code()
        if code is None:
            return None
        return [self.frame({"status": code, "message": "generate failed", "data": None})]

    def _failure_code(self) -> int | None:
        words = self._words
        if words.has("blocked-late"):
            return 1113
        if words.has("late-error") or words.has("late-code"):
            return int(words.number("late-code", 1003))
        return None

    def _cards(self) -> list[Fields]:
        if not self._words.has("image"):
            return []
        one: Fields = {"image_url": self._picture, "description": "一张图", "tag": "demo"}
        several: Fields = {"img": [self._picture + "?2", {"url": self._picture + "?3"}]}
        return [one, several, one]

    def _whole_item(self, reply: str) -> Fields:
        if self._settings.wenxin_object_content:
            return {"dataType": "markdown", "data": {"text": reply}}
        return {"dataType": "txt", "data": reply}

    def _packet(self, content: Sequence[object] | None, **more: object) -> bytes:
        ids = {} if self._words.has("no-ids") else self._ids
        message = {"content": content, "endTurn": False, **ids, **more}
        return self.frame({"status": 0, "message": "succ", "data": {"message": message}})

    def frame(self, packet: Fields) -> bytes:
        space = b" " if self._settings.wenxin_data_space else b""
        return b"event:message\ndata:%b%b\n\n" % (space, self.json(packet))


def _replies(speech: Speech, words: MagicWords) -> tuple[str, ...]:
    if words.has("stock"):
        return (STOCK,)
    return (FENCED,) if words.has("fence") else speech.replies


def _text(text: str, show_type: str = "append") -> Fields:
    return {"text": text, "type": "txt", "showType": show_type, "antiFlag": 0, "isIntervene": False}


def _item(kind: str, data: Fields, is_finished: bool = False) -> Fields:
    return {"dataType": kind, "isFinished": is_finished, "data": data}


def _tools(tool: dict[str, str]) -> Fields:
    return {"toolsStatus": [tool]}


def _odd() -> bytes:
    return b"event:telemetry\ndata:{}\n\nid:7\nretry:1000\n\n"


def _pings(seconds: float) -> Iterator[Step]:
    for _ in range(max(1, int(seconds / 0.5))):
        yield PING
        yield Wait(0.5)
