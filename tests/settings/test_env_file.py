"""The lines of .env: as other programs and other keyboards write them, and which are none."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat.settings import env_file


def read(folder: Path, text: str) -> env_file.EnvFile:
    (folder / ".env").write_bytes(text.encode())
    return env_file.read(folder / ".env")


@pytest.mark.parametrize(
    "line",
    [
        "SITE_TITLE=馆",
        "SITE_TITLE＝馆",
        "SITE_TITLE: 馆",
        "SITE_TITLE：馆",
        "SITE_TITLE = 馆   # 说明",
        "SITE_TITLE＝馆 # 说明",
        'SITE_TITLE="馆"',
        "SITE_TITLE=“馆”",
        "SITE_TITLE=「馆」",
        "SITE_TITLE＝‘馆’",
        'SITE_TITLE="馆',
        "ＳＩＴＥ＿ＴＩＴＬＥ＝馆",
        "export SITE_TITLE=馆",
        "set SITE_TITLE=馆",
        '$env:SITE_TITLE="馆"',
        "- SITE_TITLE=馆",
        "* SITE_TITLE=馆",
        "> SITE_TITLE=馆",
        "1. SITE_TITLE=馆",
        "-e SITE_TITLE=馆 \\",
        "SITE_TITLE==馆",
        "SITE_TITLE => 馆",
        "SITE_TITLE -> 馆",
        "\u202aSITE_TITLE=馆\u202c",
        "SITE\0_TITLE=\u00ad馆",
        '"SITE_TITLE": "馆",',
        "\ufeff\u200bSITE_TITLE=馆",
    ],
)
def test_a_setting_is_read_however_it_is_written(tmp_path: Path, line: str) -> None:
    file = read(tmp_path, f"{line}\nPORT=1\n")
    assert (file.values, file.unread) == ({"SITE_TITLE": "馆", "PORT": "1"}, ())


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path, ending: str) -> None:
    lines = ["# 说明", "", "SITE_TITLE: 馆", "", "pat_secret", 'KEY="a', 'b"', "PORT 8000"]
    file = read(tmp_path, ending.join(lines))
    assert [line.number for line in file.lines] == [3, 6]
    assert file.unread == ((5, "pat_secret"), (8, "PORT"))


def test_a_forgotten_quote_takes_no_other_setting_along(tmp_path: Path) -> None:
    file = read(tmp_path, 'SITE_TITLE="馆\nCOZE_BOT_ID="7"\nPORT=1\n')
    assert file.values == {"SITE_TITLE": "馆", "COZE_BOT_ID": "7", "PORT": "1"}


def test_a_key_of_several_lines_stays_whole(tmp_path: Path) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIE: a=b\nabc==\n-----END PRIVATE KEY-----"
    assert read(tmp_path, f'COZE_JWT_PRIVATE_KEY="{key}"\n').values == {"COZE_JWT_PRIVATE_KEY": key}


@pytest.mark.parametrize(
    "line",
    [
        "export SITE_TITLE=馆; export COZE_BOT_ID=7",
        "SITE_TITLE=馆 COZE_BOT_ID=7",
        "SITE_TITLE=馆,COZE_BOT_ID=7",
        "SITE_TITLE=馆 && COZE_BOT_ID=7",
        "SITE_TITLE=馆\u2028COZE_BOT_ID=7",
        "-e SITE_TITLE=馆 -e COZE_BOT_ID=7",
        '-e "SITE_TITLE=馆" -e "COZE_BOT_ID=7"',
        'Environment="SITE_TITLE=馆" "COZE_BOT_ID=7"',
        'Environment=SITE_TITLE=馆\nEnvironment="COZE_BOT_ID=7"',
    ],
)
def test_settings_that_share_a_line_are_all_read(tmp_path: Path, line: str) -> None:
    file = read(tmp_path, f"{line}\n")
    assert (file.values, file.unread) == ({"SITE_TITLE": "馆", "COZE_BOT_ID": "7"}, ())


def test_quotes_around_the_first_and_the_last_word_are_no_pair(tmp_path: Path) -> None:
    assert read(tmp_path, "SITE_NOTICE=“早”和“晚”").values == {"SITE_NOTICE": "“早”和“晚”"}


def test_a_value_may_name_another(tmp_path: Path) -> None:
    assert read(tmp_path, "A=x\nB=${A}/y").values["B"] == "x/y"


def test_the_last_of_a_name_counts(tmp_path: Path) -> None:
    file = read(tmp_path, "PORT=1\nHOST=a\nport=2\n")
    assert [(one.number, last.number) for one, last in env_file.repeated(file.lines)] == [(1, 3)]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet="AB_=＝:：\"'“”# \n\r\t$-馆,", max_size=60))
def test_every_line_is_a_setting_a_comment_or_named(tmp_path: Path, text: str) -> None:
    """Nothing is dropped without a word, and nothing ends the reading."""
    file = read(tmp_path, text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    numbers = [line.number for line in (*file.lines, *file.unread)]
    assert all(1 <= number <= len(lines) for number in numbers)
    if not numbers:
        assert all(not line.strip() or line.strip()[0] in "#＃" for line in lines)
