"""The switches of an emulator: pace, limits and variants, set at the start or while it runs."""

from dataclasses import dataclass, field, fields


@dataclass
class EmulatorSettings:
    """Every switch with its default; a platform's own switches begin with its name."""

    # An answer is streamed over so many seconds; 0: all at once.
    pace_s: float = 2.0
    # In so many pieces.
    pieces: int = 40
    # How long !silent and other endless waits last.
    silence_s: float = 3600.0
    # Polling one chat faster than this is recorded as a violation.
    poll_interval_s: float = 1.0
    # Other credentials for those of accounts.py.
    aliases: dict[str, str] = field(default_factory=dict)

    # A polled chat is in_progress so long.
    coze_work_s: float = 2.2
    # Chat, retrieve and list together, per account; 0: no limit.
    coze_qps: float = 20.0
    # How the refusal looks: "429" (code 4013), "4008" or "710005002" (HTTP 200).
    coze_rate_limit: str = "429"
    # After so many calls every Coze API answers 4028; 0: never.
    coze_free_calls: int = 0
    # HTTP status of a missing scope outside /v3/chat.
    coze_scope_status: int = 403
    # HTTP status of code 4000.
    coze_bad_body_status: int = 200
    # OAuth access tokens live so long.
    coze_token_life_s: int = 900
    # How the token endpoint answers: "page" is a 502 with a gateway's page, "text" has expires_in
    # as a string, "nested" has the grant within `data`, "span" has expires_in as a span of time.
    coze_token_answer: str = ""
    coze_done_after_failed: bool = False
    coze_done_after_requires_action: bool = True
    # [DONE] without its quotes.
    coze_done_bare: bool = False
    # 1 verbose first, 2 the recorded order, 3 two answers.
    coze_list_order: int = 1
    # Conversation messages carry their times as strings.
    coze_loose_times: bool = False
    coze_pascal_onboarding: bool = False
    coze_upload_limit: int = 512 * 1024 * 1024
    # "page" asks the person; "allow" and "deny" answer at once.
    coze_consent: str = "page"
    # PEM of the demo service app's public key; empty: JWTs are refused.
    coze_jwt_public_key: str = ""

    # Calls of one developer at once, uploads included; 0: no limit.
    qingyan_concurrency: int = 10
    # Questions a day; 0: no limit.
    qingyan_daily: int = 5000
    qingyan_token_life_s: int = 864_000
    # Whether a new token ends the one before, which the document leaves open.
    qingyan_one_token: bool = False
    # A bad token is refused with "401" or with "10018" (HTTP 403).
    qingyan_token_refusal: str = "401"
    # Later "disabled" (10004) or "deleted" (10003).
    qingyan_key_state: str = "active"
    # In stream_sync, as recorded; the document says an object.
    qingyan_array_content: bool = True
    # "data: {" or "data:{".
    qingyan_data_space: bool = True
    # \uXXXX in place of UTF-8.
    qingyan_escaped_json: bool = False
    qingyan_upload_limit: int = 100 * 1024 * 1024

    # Questions a day to one agent; 0: no limit.
    wenxin_daily: int = 500
    # Questions a second to one agent; 0: no limit.
    wenxin_rate: float = 0.0
    # HTTP status of a refused client.
    wenxin_token_status: int = 401
    # Unknown threads begin anew, another `source` is answered with nothing.
    wenxin_soft: bool = False
    # Refusals of the stream come as an event.
    wenxin_errors_as_events: bool = False
    # "data:{" or "data: {".
    wenxin_data_space: bool = False
    # GetAnswer's data is an object and markdown, not a string and txt.
    wenxin_object_content: bool = False
    wenxin_escaped_json: bool = False

    # Refuse what lacks X-Source: openapi, as the older host's documents demand.
    yuanqi_x_source: bool = False
    # The tokens an account may use; every answer uses some.
    yuanqi_tokens: int = 100_000_000

    # Or "sse_space", "ndjson", "sse_done".
    huawei_framing: str = "sse_nospace"
    # Of an answer, whatever its framing; empty: the usual one.
    huawei_content_type: str = ""
    # The names of types, in order.
    huawei_types: str = "tool_start tool_end message tool workflow knowledge"
    # What has no value is "empty" ({}), "null" or "missing".
    huawei_empty: str = "empty"
    # Ids the caller did not send: "blank" or "generated".
    huawei_ids: str = "blank"
    # Who refuses a key: the "gateway" (401) or the "app" (200).
    huawei_auth: str = "gateway"
    # So many rounds of a conversation are remembered.
    huawei_rounds: int = 5
    # `memory: []` switches the conversation's own memory off.
    huawei_empty_memory_counts: bool = False
    huawei_sensitive_word: str = "模拟敏感词"

    def change(self, values: dict[str, object]) -> None:
        """Sets several switches, or none when one of them is unknown or of the wrong type."""
        types = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        for name, value in values.items():
            if name not in types:
                raise ValueError(f"no such switch: {name}; there are {', '.join(sorted(types))}")
            if not _fits(value, types[name]):
                raise ValueError(f"{name} must be of type {types[name].__name__}")
        for name, value in values.items():
            setattr(self, name, value)


def _fits(value: object, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)
