"""NOTIFY_URL: which addresses it takes, and what of them the log blanks out."""

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from chat.settings import robots

KEY = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"
WECOM = f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={KEY}"
FEISHU = f"https://open.feishu.cn/open-apis/bot/v2/hook/{KEY}"
check: TypeAdapter[SecretStr] = TypeAdapter(robots.NotifyUrl)


@pytest.mark.parametrize("separator", [",", "，", "; ", "；", "\n", " "])
def test_several_robots_are_separated_as_people_separate(separator: str) -> None:
    setting = check.validate_python(separator.join((WECOM, FEISHU)))
    assert robots.addresses(setting) == [WECOM, FEISHU]


@pytest.mark.parametrize(
    "text",
    ["http://qyapi.weixin.qq.com/x", KEY, "https://", "https://[", "，", ",".join([WECOM] * 6)],
)
def test_what_is_no_address_of_a_robot_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValidationError, match="Webhook") as raised:
        check.validate_python(text)
    assert text not in raised.value.errors()[0]["msg"] or len(text) < 9


def test_the_key_of_a_robot_is_a_secret_by_itself() -> None:
    assert robots.secret_parts(SecretStr(WECOM)) == [WECOM, KEY]
    assert robots.secret_parts(SecretStr(FEISHU)) == [FEISHU, KEY]
