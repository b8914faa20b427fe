"""What an error says to the owner: one line in each language, and no English in the Chinese one."""

import re

from chat.settings.errors import SettingsError

HAN = re.compile(r"[\u4e00-\u9fff]")
ENGLISH = re.compile(r"[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}")


def english_of(error: SettingsError) -> str:
    """The English line of an error that says the same in Chinese."""
    english, chinese = error.say("en"), error.say("zh")
    assert HAN.search(chinese) and not ENGLISH.search(chinese), chinese
    assert "看不懂这个值" not in chinese, "each kind of error has a sentence of its own"
    for line in (english, chinese):
        assert "\n" not in line and len(line) < 500, line
    assert error.say_in_both() == f"{english} / {chinese}。运行 make doctor 查看说明。"
    return english
