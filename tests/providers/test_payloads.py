"""Fields of any kind, read safely."""

from typing import Any

import pytest

from providers.payloads import (
    ErrorObject,
    content_text,
    error_object,
    is_true,
    object_of,
    objects_of,
    seconds,
    told_error,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5.0),
        (0.5, 0.5),
        (0, 60.0),
        (-1, 60.0),
        (True, 60.0),
        ("5", 5.0),
        ("soon", 60.0),
        (None, 60.0),
        (float("nan"), 60.0),
        (float("inf"), 60.0),
        (10**400, 60.0),
    ],
)
def test_a_span_that_makes_no_sense_is_the_default(value: Any, expected: float) -> None:
    assert seconds(value, 60.0) == expected


HOUSES: list[tuple[Any, str, str]] = [
    # What they send, the code in it, the words in it.
    ({"code": 4015, "msg": "x"}, "4015", "x"),
    ({"code": "1003", "message": "x"}, "1003", "x"),
    ({"code": 1003.0, "message": "x"}, "1003", "x"),
    ({"status": 1002, "message": "x"}, "1002", "x"),
    ({"errno": 110, "msg": "x"}, "110", "x"),
    ({"error_code": "AIAE.1", "error_msg": "x"}, "AIAE.1", "x"),
    ({"errorCode": 7, "errorMessage": "x"}, "7", "x"),
    ({"ErrCode": 7, "ErrMsg": "x"}, "7", "x"),
    ({"ret": -3}, "-3", ""),
    ({"base_resp": {"status_code": 1004, "status_msg": "x"}}, "1004", "x"),
    ({"header": {"code": 10013, "message": "x", "sid": "s"}}, "10013", "x"),
    ({"ResponseMetadata": {"Error": {}}, "code": 5, "message": "x"}, "5", "x"),
    ({"Response": {"Error": {"Code": "AuthFailure", "Message": "x"}}}, "AuthFailure", "x"),
    ({"error": {"code": "quota", "message": "x"}}, "quota", "x"),
    ({"error": {"type": "auth", "message": "x"}}, "auth", "x"),
    ({"error": {"code": 400, "status": "INVALID", "message": "x"}}, "400", "x"),
    ({"type": "error", "error": {"type": "overloaded", "message": "x"}}, "overloaded", "x"),
    ({"error": "x"}, "", "x"),
    ({"error": "invalid_client", "error_description": "x"}, "", "x"),
    ({"error": ["x", "y"]}, "", "x"),
    ({"error": True, "message": "x"}, "", "x"),
    ({"errors": [{"code": "c", "message": "x"}]}, "c", "x"),
    ({"errors": ["x"]}, "", "x"),
    ({"fault": {"faultstring": "x", "detail": {}}}, "", "x"),
    ({"detail": "x"}, "", "x"),
    ({"detail": [{"loc": ["body"], "msg": "x", "type": "missing"}]}, "", "x"),
    ({"detail": {"code": 7, "message": "x"}}, "7", "x"),
    ({"title": "y", "status": 404, "detail": "x", "type": "about:blank"}, "404", "x"),
    ({"timestamp": 1, "status": 503, "error": "x", "path": "/"}, "503", "x"),
    ({"error_msg": "x"}, "", "x"),
    ({"success": False, "message": "x"}, "", "x"),
    ({"ok": False, "description": "x"}, "", "x"),
    ({"status": "error", "message": "x"}, "", "x"),
    ({"event": "error", "code": 9, "message": "x"}, "9", "x"),
    ({"code": "invalid", "message": "x"}, "invalid", "x"),
    ([{"error": {"code": 7, "message": "x"}}], "7", "x"),
    ([{"a": 1}, {"code": 7, "msg": "x"}], "7", "x"),
    ('{"code": 7, "msg": "x"}', "7", "x"),
]


@pytest.mark.parametrize(("value", "code", "message"), HOUSES, ids=lambda value: str(value)[:50])
def test_a_failure_is_recognised_in_the_envelope_of_any_house(
    value: Any, code: str, message: str
) -> None:
    assert error_object(object_of(value)) == ErrorObject(code, message)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"code": 0, "msg": ""},
        {"code": "000000", "msg": "成功"},
        {"code": 0.0, "msg": "ok"},
        {"code": 200, "message": "ok"},
        {"code": "Success", "message": "x"},
        {"code": 0, "msg": "", "detail": {"logid": "2026"}, "data": {}},
        {"code": 0, "detail": "x"},
        {"data": {"text": "x"}, "detail": "x"},
        {"status": "finish", "message": {}},
        {"status": "error", "message": {}, "last_error": {"error_code": 7}},
        {"status": 0, "message": "succ"},
        {"error": None, "code": None},
        {"error": {}, "choices": []},
        {"error": 0, "message": "ok"},
        {"error": False, "errors": [], "message": "ok"},
        {"error_code": 0, "error_msg": "x"},
        {"error_msg": "success"},
        {"success": True, "message": "x"},
        {"type": "message", "name": "x"},
    ],
)
def test_what_is_no_failure_is_none(payload: dict[str, Any]) -> None:
    assert error_object(payload) is None


def test_of_a_call_that_failed_a_mere_message_is_told() -> None:
    assert told_error({"message": "no Route matched"}) == ErrorObject("", "no Route matched")
    assert told_error({}) == ErrorObject("", "")


def test_objects_are_found_in_a_list_and_in_a_text() -> None:
    assert objects_of([{"a": 1}, None, {"b": 2}]) == [{"a": 1}, {"b": 2}]
    assert objects_of('{"a": 1}') == [{"a": 1}]
    assert objects_of([]) == objects_of("x") == objects_of(5) == objects_of(None) == [{}]


def test_a_content_is_a_text_a_number_a_list_or_an_object() -> None:
    for content in ("好", {"text": "好"}, {"content": "好"}, [{"type": "text", "text": "好"}]):
        assert content_text(content) == "好"
    assert content_text([{"text": "你"}, {"text": {"value": "好"}}, None, 3]) == "你好"
    assert (content_text(42), content_text(3.5)) == ("42", "3.5")
    for nothing in (None, {}, [], True, float("nan")):
        assert content_text(nothing) == ""


def test_yes_is_a_boolean_a_number_or_a_word() -> None:
    assert all(map(is_true, (True, 1, "true", "True", "1")))
    assert not any(map(is_true, (False, 0, "false", "", None, "0", {}, 2)))
