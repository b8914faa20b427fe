"""Each robot gets a message in its own form, and what it refuses is an error with a reason."""

import time
from collections.abc import Iterator

import pytest

from chat.notices.robots import MOST_BYTES, Robot, RobotError
from providers.http import Http, Network
from tests.kit.robots import KEY, SECRET, Robots, robots

HTTP = Http("notices", Network())


@pytest.fixture(scope="module")
def group() -> Iterator[Robots]:
    with robots() as group:
        yield group


def refused(address: str) -> str:
    with pytest.raises(RobotError) as raised:
        Robot(address).send("hello", HTTP)
    assert KEY not in str(raised.value) + repr(raised.value.__cause__)
    return str(raised.value)


@pytest.mark.parametrize("kind", ["wecom", "dingtalk", "feishu"])
def test_a_robot_takes_a_message(group: Robots, kind: str) -> None:
    robot = Robot(getattr(group, kind))
    robot.send(f"你好 {kind}", HTTP)
    assert robot.kind == kind and group.texts[-1] == f"你好 {kind}"


def test_another_address_gets_the_text_alone(group: Robots) -> None:
    Robot(f"{group.url}/plain").send("你好", HTTP)
    assert group.texts[-1] == "你好"


def test_a_long_message_is_cut_to_what_all_take(group: Robots) -> None:
    Robot(group.wecom).send("长" * 5000, HTTP)
    assert group.texts[-1].endswith("长…") and len(group.texts[-1].encode()) <= MOST_BYTES


@pytest.mark.parametrize("kind", ["wecom", "dingtalk", "feishu"])
def test_a_robot_that_is_gone_is_refused_with_http_200_and_still_an_error(
    group: Robots, kind: str
) -> None:
    assert "no such robot" in refused(getattr(group, kind).replace("693a", "aaaa"))


@pytest.mark.parametrize("kind", ["dingtalk", "feishu"])
def test_a_wrong_signing_secret_is_named(group: Robots, kind: str) -> None:
    address = getattr(group, kind)
    assert "security settings" in refused(address.replace(SECRET, "SECwrong"))
    assert "security settings" in refused(address.partition("#")[0])


@pytest.mark.parametrize(
    "path",
    ["instead/redirect", "instead/huge", "instead/error", "cgi-bin/webhook/send?key=broken"],
)
def test_whatever_a_receiver_does_instead_is_an_error(group: Robots, path: str) -> None:
    before = len(group.texts)
    refused(f"{group.url}/{path}")
    assert len(group.texts) == before


def test_a_robot_that_cannot_be_reached_is_an_error_soon() -> None:
    began = time.monotonic()
    assert "cannot be reached" in refused(f"http://127.0.0.1:1/robot/send?access_token={KEY}")
    assert time.monotonic() - began < 8
