"""What a chat of the emulated Coze will say: its messages for the list, its frames for the stream.

Words of Coze's own, besides those all platforms share (platforms/coze.md §12.5):

    !order N             message/list: 1 verbose first (the default), 2 tools, answer, verbose, 3
                         two answers
    !knowledge           a message of the old type knowledge
    !cite                a verbose knowledge_recall
    !card                the answer is one card
    !dsl-card            the answer is a card of the vendor's layout, its words in a variable
    !question-card       the answer is a workflow's question with options
    !plugin [2]          a streaming plugin writes the answer, which is in no message of its own;
                         with 2 its text is only the beginning of the answer
    !early-list N        the first N lists lack the answer (default 1)
    !half-list           the list never has it
    !late-chat N         the first N polls do not know the chat yet (default 1)
    !dead CODE           refused with CODE (default 4200) while a conversation is named
    !no-followup         no suggestions
    !stuck               never ends, but streams
    !no-data             message/list without `data`
    !failed CODE         accepted, then failed with last_error CODE (default 4028)
    !sse-error           an `error` event after some pieces
    !late-error, !late-code X  chat.failed
    !requires-action N   wants tool outputs, N times
    !requires-reply      wants a reply instead
    !done-bare           [DONE] without quotes
    !no-done             the stream lacks `done`
    !done-after-failed   `done` follows chat.failed
    !expired-later       a poll is refused once
    !retrieve-http N     polls answer status N
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from emulator.coze.format import TEXTS, as_text, event
from emulator.settings import EmulatorSettings
from emulator.speech import Speech, pieces
from emulator.words import MagicWords

Message = dict[str, Any]


@dataclass
class Plan:
    """Everything a run will say, and how it ends."""

    outcome: str = "completed"
    messages: list[Message] = field(default_factory=list)
    opening: list[bytes] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    middle: list[bytes] = field(default_factory=list)
    closing: list[bytes] = field(default_factory=list)
    instead: list[bytes] | None = None
    error: dict[str, Any] = field(default_factory=lambda: {"code": 0, "msg": ""})
    required_action: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, int] = field(default_factory=dict)


QUESTION_CARD = {
    "x_properties": {
        "card_id": "7480000000000008888",
        "workflow_card_info": as_text(
            {
                "card_type": "QUESTION",
                "question_card_data": {
                    "Title": "哪一天？",
                    "Options": [{"name": "今天"}, {"name": "明天"}],
                },
            }
        ),
    }
}


def _card(text: str) -> dict[str, Any]:
    """A card in the vendor's layout (§15): a text in a variable, a plain one and a column."""
    elements = {
        "root": {"name": "Column1", "type": "@flowpd/cici-components/ColumnLayout", "props": {}},
        "e1": {
            "name": "Text1",
            "type": "@flowpd/cici-components/Text",
            "props": {"content": {"type": "expression", "value": "{{title}}"}},
        },
    }
    variables = {"v1": {"name": "title", "defaultValue": text}}
    data = as_text({"elements": elements, "variables": variables})
    return {"card_type": 3, "response_type": "card", "data": data}


class Planner:
    """Writes the plan of one chat; `ids` are the ids its messages and frames carry."""

    def __init__(
        self,
        ids: dict[str, Any],
        words: MagicWords,
        settings: EmulatorSettings,
        new_id: Callable[[], str],
    ) -> None:
        self.ids, self.words, self.settings, self.new_id = ids, words, settings, new_id
        self.order = int(words.number("order", settings.coze_list_order))

    def answer(self, speech: Speech, before: list[Message], is_resumed: bool = False) -> Plan:
        """A chat that says something and completes, unless the words say otherwise."""
        answers = [self.message("answer", reply) for reply in speech.replies]
        if answers and self.words.has("card"):
            card = {
                "card_type": 3,
                "template_url": "https://example.com/card",
                "response_type": "card",
            }
            answers[0] |= {"content": as_text(card), "content_type": "card"}
        if answers and self.words.has("dsl-card"):
            answers[0] |= {"content": as_text(_card(speech.text)), "content_type": "card"}
        if answers and self.words.has("question-card"):
            answers[0] |= {"content": as_text(QUESTION_CARD), "content_type": "card"}
        if answers and self.words.number("plugin", 1) == 2:
            half = len(speech.text) // 2
            before = [*before, *self._streaming_plugin(speech.text[:half])]
        elif answers and self.words.has("plugin"):
            before = [*before, *self._streaming_plugin(speech.text)]
            answers = []
        if answers and speech.thought:
            answers[0]["reasoning_content"] = speech.thought
        finish = self.message(
            "verbose", _verbose("generate_answer_finish", {"finish_reason": 0, "FinData": ""})
        )
        silent = self.words.has("no-followup") or not answers
        follow_ups = (
            [] if silent else [self.message("follow_up", text) for text in speech.suggestions]
        )
        plan = Plan(usage=_usage(speech))
        plan.messages = self._in_list_order(before, answers, finish, follow_ups)
        plan.opening = [*self._opening(plan, is_resumed), *map(_completed, before)]
        plan.pieces = [frame for answer in answers for frame in self._deltas(answer)]
        ending = [_completed(message) for message in (finish, *follow_ups)]
        plan.closing = [*ending, self.chat("completed", plan), *self._end_marker()]
        self._misbehave(plan)
        return plan

    def action(self, kind: str) -> Plan:
        """A chat that stops and wants tool outputs, or a reply."""
        call = {"name": "read_local_note", "arguments": as_text({"title": "todo"})}
        tool_call = {"id": f"toolcall-{self.new_id()}", "type": kind, "function": call}
        plan = Plan(
            "requires_action", usage={"token_count": 120, "output_count": 10, "input_count": 110}
        )
        plan.required_action = {
            "type": "submit_tool_outputs",
            "submit_tool_outputs": {"tool_calls": [tool_call]},
        }
        plan.messages = [self.message("function_call", as_text({**call, "plugin_type": 1}))]
        plan.opening = self._opening(plan)
        plan.closing = [self.chat("requires_action", plan)]
        if self.settings.coze_done_after_requires_action:
            plan.closing += self._end_marker()
        return plan

    def tools(self) -> list[Message]:
        """What comes before the answer: knowledge and tool steps."""
        steps = []
        if self.words.has("cite"):
            slices = as_text({"chunks": [{"slice": "开放时间 9:00-17:00", "score": 0.83}]})
            steps.append(self.message("verbose", _verbose("knowledge_recall", slices)))
        if self.words.has("knowledge"):
            steps.append(self.message("knowledge", "---\nrecall slice 1:\n开放时间 9:00-17:00"))
        if self.words.has("tool") or self.order == 2:
            call = {
                "name": "weather-today",
                "arguments": {"city": "北京"},
                "plugin_id": 7001,
                "api_id": 8001,
            }
            names = {"plugin_name": "天气", "api_name": "today", "plugin_type": 1}
            steps.append(self.message("function_call", as_text({**call, **names})))
            response = {"content_type": 1, "response_for_model": "晴，21 °C", "type_for_model": 1}
            steps.append(self.message("tool_response", as_text(response)))
        return steps

    def _streaming_plugin(self, text: str) -> list[Message]:
        """A plugin that writes straight to the visitor (§15)."""
        data = as_text({"uuid": "7480000000000009999", "tool_output_content": text})
        return [
            self.message("tool_response", "writer directly streaming reply."),
            self.message("verbose", _verbose("stream_plugin_finish", data)),
        ]

    def message(self, kind: str, content: str) -> Message:
        return {
            "id": self.new_id(),
            "conversation_id": self.ids["conversation_id"],
            "bot_id": self.ids["bot_id"],
            "role": "assistant",
            "type": kind,
            "content": content,
            "content_type": "text",
            "chat_id": self.ids["id"],
            "section_id": self.ids["section_id"],
        }

    def chat(self, status: str, plan: Plan) -> bytes:
        """An event that carries the whole chat."""
        usage = {"token_count": 0, "output_count": 0, "input_count": 0}
        chat = {**self.ids, "last_error": {"code": 0, "msg": ""}, "status": status, "usage": usage}
        ended = self.ids["created_at"] + 1
        if status in ("completed", "requires_action"):
            chat |= {"completed_at": ended, "usage": plan.usage}
        if status == "requires_action":
            chat["required_action"] = plan.required_action
        if status == "failed":
            chat |= {"failed_at": ended, "last_error": plan.error}
        return event(f"conversation.chat.{status}", chat)

    def _opening(self, plan: Plan, is_resumed: bool = False) -> list[bytes]:
        created = [] if is_resumed else [self.chat("created", plan)]
        return [*created, self.chat("in_progress", plan)]

    def _deltas(self, answer: Message) -> list[bytes]:
        """An answer in fragments, its thoughts first, and then whole; a card comes only whole."""
        if answer["content_type"] == "card":
            return [_completed(answer)]
        bare = {key: value for key, value in answer.items() if key != "reasoning_content"}
        thoughts = pieces(
            answer.get("reasoning_content", ""), MagicWords({}), EmulatorSettings(pieces=6)
        )
        texts = pieces(answer["content"], self.words, self.settings)
        return [
            *(
                _delta({**bare, "content": "", "reasoning_content": thought})
                for thought in thoughts
            ),
            *(_delta({**bare, "content": text}) for text in texts),
            _completed(answer),
        ]

    def _in_list_order(
        self,
        before: list[Message],
        answers: list[Message],
        finish: Message,
        follow_ups: list[Message],
    ) -> list[Message]:
        """The list's order, which is not the stream's: nobody may rely on the first being the
        answer.
        """
        if self.order == 1:
            ordered = [finish, *before, *answers, *follow_ups]
        else:
            ordered = [*before, *answers, finish, *follow_ups]
        if self.words.has("strange"):
            ordered.insert(1, self.message("shimmer", "an undocumented type"))
        return [{"reasoning_content": "", **message, **self._times()} for message in ordered]

    def _times(self) -> dict[str, int]:
        return {"created_at": self.ids["created_at"], "updated_at": self.ids["created_at"]}

    def _end_marker(self) -> list[bytes]:
        if self.words.has("no-done"):
            return []
        is_bare = self.settings.coze_done_bare or self.words.has("done-bare")
        return [event("done", "[DONE]" if is_bare else '"[DONE]"')]

    def _misbehave(self, plan: Plan) -> None:
        if self.words.has("strange"):
            odd = {
                **self.message("shimmer", "an undocumented type"),
                "undocumented": [1, {"深": None}],
            }
            plan.middle = [event("conversation.message.shimmer", odd), _completed(odd)]
        code = self._failure()
        if code is None:
            return
        plan.outcome = "failed"
        plan.error = {
            "code": code,
            "msg": "event interval error" if code == 5000 else TEXTS.get(code, "error"),
        }
        plan.instead = (
            [event("error", plan.error)]
            if self.words.has("sse-error")
            else self._failure_frames(plan)
        )
        if self.words.has("failed"):
            plan.pieces = []

    def _failure_frames(self, plan: Plan) -> list[bytes]:
        has_done = self.settings.coze_done_after_failed or self.words.has("done-after-failed")
        return [self.chat("failed", plan), *(self._end_marker() if has_done else [])]

    def _failure(self) -> int | None:
        codes = {
            "failed": 4028,
            "late-error": 5000,
            "late-code": 5000,
            "blocked-late": 4102,
            "sse-error": 5000,
        }
        for word, code in codes.items():
            if self.words.has(word):
                return (
                    int(self.words.number(word, code)) if word in ("failed", "late-code") else code
                )
        return None


def _delta(message: Message) -> bytes:
    return event("conversation.message.delta", message)


def _completed(message: Message) -> bytes:
    return event("conversation.message.completed", message)


def _verbose(kind: str, data: Any) -> str:
    text = data if isinstance(data, str) else as_text(data)
    return as_text({"msg_type": kind, "data": text, "from_module": None, "from_unit": None})


def _usage(speech: Speech) -> dict[str, int]:
    output = max(1, len(speech.text) // 2)
    return {"token_count": 388 + output, "output_count": output, "input_count": 388}
