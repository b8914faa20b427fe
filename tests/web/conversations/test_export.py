"""The export of a conversation is complete, and no text of it breaks the Markdown around it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from chat.storage import Answer, Conversation
from chat.web.conversations.export import as_document, as_markdown, safe_filename
from chat.web.frame import language as languages

AT = datetime(2026, 1, 1, 20, 5, tzinfo=UTC)


def answer(question: str = "为什么？", *replies: str, **columns: Any) -> Answer:
    empty = {
        "files": [],
        "citations": [],
        "media": [],
        "state": "done",
        "created_at": AT,
        "ended_at": AT,
    }
    return Answer(question=question, replies=list(replies), **{**empty, **columns})


def conversation(title: str = "标题") -> Conversation:
    return Conversation(title=title, agent="coze", created_at=AT, updated_at=AT)


app = Flask("export", root_path=str(Path(__file__).resolve().parents[3]))
languages.init_app(app)


def markdown(*answers: Answer, title: str = "标题", language: str = "zh") -> str:
    with app.test_request_context(f"/?lang={language}"):
        return as_markdown(conversation(title), answers, "小助手")


def headings(text: str) -> list[str]:
    """The headings that a reader of Markdown sees outside of quotes and lists."""
    tokens = MarkdownIt("commonmark").parse(text)
    return [
        tokens[index + 1].content
        for index, token in enumerate(tokens)
        if token.type == "heading_open" and not token.level
    ]


def test_a_document_has_every_field() -> None:
    timed_out = answer(
        "看图",
        "好的",
        "还有",
        files=[{"id": "u1", "name": "猫.png", "content_type": "image/png", "size": 3}],
        citations=[{"title": "百科", "url": "https://a.cn", "text": None}],
        media=[{"kind": "image", "url": "https://a.cn/b.png"}],
        state="failed",
        code="timeout",
        ended_at=None,
        rating="down",
        rating_reason="不对",
    )
    document = as_document(conversation(), [timed_out], "小助手")
    assert json.loads(json.dumps(document)) == {
        "title": "标题",
        "agent": "小助手",
        "created_at": "2026-01-01T20:05:00+00:00",
        "updated_at": "2026-01-01T20:05:00+00:00",
        "answers": [
            {
                "question": "看图",
                "files": ["猫.png"],
                "asked_at": "2026-01-01T20:05:00+00:00",
                "ended_at": None,
                "state": "failed",
                "code": "timeout",
                "replies": ["好的", "还有"],
                "sources": [{"title": "百科", "url": "https://a.cn", "text": None}],
                "media": [{"kind": "image", "url": "https://a.cn/b.png"}],
                "rating": "down",
                "rating_reason": "不对",
            }
        ],
    }


def test_markdown_reads_like_the_page() -> None:
    stopped = answer(
        "第一行\n\n# 第二行",
        "回答",
        files=[{"name": "a_b.txt"}, {"name": "猫.png"}],
        citations=[
            {"title": "百[科]", "url": "https://a.cn/x y", "text": "摘\n录"},
            {"title": "知识库"},
        ],
        media=[{"kind": "image", "url": "https://a.cn/b.png"}],
        state="stopped",
    )
    assert markdown(stopped) == (
        "# 标题\n\n小助手 · 2026-01-02 04:05（北京时间）\n\n"
        "## 提问 · 2026-01-02 04:05（北京时间）\n\n> 第一行\n>\n> # 第二行\n\n"
        "文件：a\\_b.txt、猫.png\n\n## 小助手\n\n回答\n\n*已停止生成*\n\n"
        "**参考来源**\n\n- [百\\[科\\]](<https://a.cn/x%20y>): 摘 录\n- 知识库\n\n"
        "**附件**\n\n- [图片](<https://a.cn/b.png>)\n"
    )


@pytest.mark.parametrize(
    ("language", "state", "sentence"),
    [
        ("zh", "interrupted", "*回答中断，内容可能不完整。*"),
        ("zh", "failed", "*回答失败。*"),
        ("en", "stopped", "*You stopped this answer.*"),
        ("en", "running", "*This answer has not ended yet.*"),
    ],
)
def test_the_ending_of_an_answer_is_a_sentence(language: str, state: str, sentence: str) -> None:
    assert markdown(answer("q", "half", state=state), language=language).endswith(
        f"half\n\n{sentence}\n"
    )


OPEN = [
    "```python\nprint(1)",
    "~~~\ncode",
    "````\n```\nstill code",
    "- a list\n  ```\n  code",
    "<!-- a comment",
    "<script>\nlet a",
    "<div>\nblock",
    "<?php",
    "text\n===",
    "> quote",
    "| a | b |",
    "    indented",
    "[a]: ",
    "\\",
]


@pytest.mark.parametrize("text", OPEN)
def test_an_open_construct_does_not_swallow_the_rest(text: str) -> None:
    exported = markdown(answer(text, text), answer("next", "reply"), title=text)
    assert headings(exported)[-2:] == ["提问 · 2026-01-02 04:05（北京时间）", "小助手"]
    assert text.splitlines()[-1] in exported


@settings(max_examples=200, deadline=None)
@given(
    pieces=st.lists(
        st.sampled_from([*OPEN, "```", "~~~", "-->", "\n", "# h", "word", "- "]), max_size=6
    )
)
def test_no_mixture_of_open_constructs_swallows_the_rest(pieces: list[str]) -> None:
    text = "\n".join(pieces)
    exported = markdown(answer(text, text), answer("next", "reply"))
    assert headings(exported)[-2:] == ["提问 · 2026-01-02 04:05（北京时间）", "小助手"]


def test_only_addresses_of_the_web_become_links() -> None:
    exported = markdown(
        answer("q", "a", citations=[{"title": "x", "url": "javascript:alert(1)", "text": None}])
    )
    assert "](" not in exported and "javascript" in exported


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("北京三日游：路线？", "北京三日游：路线？.md"),
        ("a/b\\c:d*?", "a b c d.md"),
        ("../../etc/passwd", "etc passwd.md"),
        ("", "chat.md"),
        ("...", "chat.md"),
        ("CON", "chat CON.md"),
        ("com1.txt", "chat com1.txt.md"),
        ("a\r\nSet-Cookie: x", "a Set-Cookie x.md"),
        ("\u202egpj.exe\ud83d", "gpj.exe.md"),
        ("长" * 200, "长" * 80 + ".md"),
    ],
)
def test_a_file_can_be_stored_under_the_title(title: str, name: str) -> None:
    assert safe_filename(title, "md") == name
