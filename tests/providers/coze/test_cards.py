"""Cards of the vendor's layout become words, pictures and suggestions (platforms/coze.md §15)."""

import json
from typing import Any

import pytest

from providers.coze.cards import PLACEHOLDER, CardContent, read_card

TEXT, IMAGE = "@flowpd/cici-components/Text", "@flowpd/cici-components/NewImage"
PICTURE = "https://x.example/1.png"


def element(kind: str, **props: Any) -> dict[str, Any]:
    return {"name": "Component7", "type": kind, "props": props}


def expression(value: str) -> dict[str, str]:
    return {"type": "expression", "value": value}


def card(*elements: dict[str, Any], **variables: Any) -> dict[str, Any]:
    return {
        "elements": {f"e{number}": one for number, one in enumerate(elements)},
        "variables": {
            name: {"name": name, "defaultValue": value} for name, value in variables.items()
        },
    }


WEATHER = card(
    element("@flowpd/cici-components/ColumnLayout", columns=[1, 2]),
    element(TEXT, content=expression("{{title}}")),
    element(TEXT, content="明天 {{ city.name }} 多云"),
    element(IMAGE, src=expression("{{cover}}")),
    element(TEXT, content=expression("{{unknown}}")),
    title="天气",
    city='{"name":"杭州"}',
    cover=PICTURE,
)
READ = CardContent(["天气", "明天 杭州 多云"], [PICTURE])


@pytest.mark.parametrize(
    "content",
    [
        WEATHER,
        {"card_type": 3, "template_url": "https://x.example/t", "data": WEATHER},
        {"card_type": 3, "response_type": "card", "data": json.dumps(WEATHER)},
        {"info_in_card": json.dumps({"data": json.dumps(WEATHER)}), "x_properties": {}},
    ],
)
def test_texts_have_their_variables_and_no_component_is_named(content):
    assert read_card(json.dumps(content)) == READ


def test_a_question_card_has_a_title_and_options():
    info = {
        "card_type": "QUESTION",
        "question_card_data": {
            "Title": "哪一天？",
            "Options": [{"name": "今天"}, {"name": "明天"}],
        },
    }
    content = {"x_properties": {"card_id": "7", "workflow_card_info": json.dumps(info)}}
    assert read_card(json.dumps(content)) == CardContent(["哪一天？"], [], ["今天", "明天"])


def test_an_input_card_names_its_fields():
    info = {"card_type": "INPUT", "input_card_data": [{"type": "string", "name": "姓名"}]}
    content = {"x_properties": {"workflow_card_info": json.dumps(info)}}
    assert read_card(json.dumps(content)).markdown == "- 姓名"


@pytest.mark.parametrize(
    ("content", "markdown"),
    [
        ('{"card_type":3,"template_url":"https://x.example","response_type":"card"}', PLACEHOLDER),
        (
            '{"a":{"title":"明天","link":"https://x.example"},"text":"晴","name":"Text"}',
            "明天\n\n晴",
        ),
        ("没有 JSON", "没有 JSON"),
        ("{}", PLACEHOLDER),
        (
            '{"elements":{"1":null,"2":{"props":7},"3":{"type":[],"props":{"content":{}}}}}',
            PLACEHOLDER,
        ),
        ('{"elements":{"1":{"props":{"content":{"value":["x"]}}}},"variables":[1]}', PLACEHOLDER),
    ],
)
def test_cards_of_other_layouts(content, markdown):
    assert read_card(content).markdown == markdown


def test_a_card_within_cards_has_an_end():
    deep: Any = {"title": "底"}
    for _ in range(200):
        deep = {"data": json.dumps(deep)} if len(str(deep)) < 2000 else {"data": deep}
    assert read_card(json.dumps(deep)).markdown in (PLACEHOLDER, "底")


def test_a_variable_may_be_a_list_of_pictures_or_a_place_in_a_list():
    layout = card(
        element(IMAGE, src=expression("{{covers}}")),
        element(TEXT, content=expression("{{days[1].name}}和{{days.0.name}}")),
        covers=[PICTURE, "https://x.example/2.png"],
        days=[{"name": "今天"}, {"name": "明天"}],
    )
    assert read_card(json.dumps(layout)) == CardContent(
        ["明天和今天"], [PICTURE, "https://x.example/2.png"]
    )


def test_a_question_card_may_have_its_names_in_lower_case_and_options_as_texts():
    info = {"question_card_data": {"title": "哪一天？", "options": ["今天", {"name": "明天"}]}}
    content = {"x_properties": {"workflow_card_info": info}}
    assert read_card(json.dumps(content)) == CardContent(["哪一天？"], [], ["今天", "明天"])
