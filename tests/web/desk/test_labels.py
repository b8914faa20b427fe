"""What stands beside the fields and above the tables of the desk."""

import pytest

from chat.web.desk.labels import help_beside
from tests.kit.site import ROOT


@pytest.mark.parametrize(
    ("label", "help", "shown"),
    [
        ("Token", "Token, made at coze.cn", "Made at coze.cn"),
        ("令牌", "令牌，在 coze.cn 创建", "在 coze.cn 创建"),
        ("Address of the API", "Address of the API; the older works", "The older works"),
        ("Address of the API", "Address of the API", ""),
        ("智能体 ID", "智能体 ID（appId），见网址", "（appId），见网址"),
        ("Calls a second", "Calls a second the account may make", None),
        ("Token", "The id of the app", None),
    ],
)
def test_help_leaves_out_its_label_but_not_the_subject_of_its_sentence(
    label: str, help: str, shown: str | None
) -> None:
    assert help_beside(label, help) == (help if shown is None else shown)


def test_every_table_of_the_desk_has_a_caption() -> None:
    tables = 0
    for template in (ROOT / "templates/desk").glob("*.html"):
        text = template.read_text(encoding="utf-8")
        tables += text.count("<table")
        assert text.count("<table") == text.count("<caption"), template.name
    assert tables
