"""Coze's official client is content with the emulator."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # cozepy still imports authlib.jose
    import cozepy
    from cozepy import ChatEventType, ChatStatus, Message, MessageType

BOT = "7480000000000000101"
DELTA = ChatEventType.CONVERSATION_MESSAGE_DELTA


@pytest.fixture
def coze(emulator) -> Iterator[cozepy.Coze]:
    with cozepy.SyncHTTPClient() as http:
        yield cozepy.Coze(
            cozepy.TokenAuth("pat_demo_only_not_a_secret"), emulator.url, http_client=http
        )


def says(text: str) -> dict:
    return {
        "bot_id": BOT,
        "user_id": "alice",
        "additional_messages": [Message.build_user_question_text(text)],
    }


def answers(messages) -> list[str]:
    return [message.content for message in messages if message.type == MessageType.ANSWER]


def streamed(coze, text: str, **where: str) -> list[str]:
    """The answers to one question, asked as a stream."""
    events = list(coze.chat.stream(**says(text), **where))
    whole = [
        event.message
        for event in events
        if event.event == ChatEventType.CONVERSATION_MESSAGE_COMPLETED
    ]
    return answers(whole)


def ended(coze, **ids: str):
    """The chat once it has left in_progress, without the client's pause of a second."""
    while (chat := coze.chat.retrieve(**ids)).status == ChatStatus.IN_PROGRESS:
        pass
    return chat


def test_create_retrieve_list(coze):
    chat = coze.chat.create(**says("你好 !pieces 3"))
    assert chat.status == ChatStatus.IN_PROGRESS
    ids = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
    assert coze.chat.retrieve(**ids).status == ChatStatus.IN_PROGRESS
    chat = ended(coze, **ids)
    assert chat.status == ChatStatus.COMPLETED
    assert chat.usage.token_count == chat.usage.input_count + chat.usage.output_count
    messages = coze.chat.messages.list(**ids)
    assert messages[0].type == MessageType.VERBOSE
    assert "你好 !pieces 3" in answers(messages)[0]


def test_create_and_poll_in_one_call(coze):
    result = coze.chat.create_and_poll(**says("hello"))
    assert result.chat.status == ChatStatus.COMPLETED
    assert "hello" in answers(result.messages)[0]


def test_stream(coze):
    events = list(coze.chat.stream(**says("图书馆几点开门？ !think !tool !two")))
    kinds = [event.event for event in events]
    assert kinds[:2] == [
        ChatEventType.CONVERSATION_CHAT_CREATED,
        ChatEventType.CONVERSATION_CHAT_IN_PROGRESS,
    ]
    assert kinds[-1] == ChatEventType.CONVERSATION_CHAT_COMPLETED
    deltas = [event.message for event in events if event.event == DELTA]
    whole = [
        event.message
        for event in events
        if event.event == ChatEventType.CONVERSATION_MESSAGE_COMPLETED
    ]
    first, second = (message for message in whole if message.type == MessageType.ANSWER)
    assert "".join(delta.content for delta in deltas if delta.id == first.id) == first.content
    assert "".join(delta.reasoning_content or "" for delta in deltas) == first.reasoning_content
    assert second.content == "第二条回复。"
    order = [message.type for message in whole]
    assert order[:2] == [MessageType.FUNCTION_CALL, MessageType.TOOL_RESPONSE]
    assert order[4:] == [MessageType.VERBOSE, *[MessageType.FOLLOW_UP] * 3]


def test_conversation_remembers_until_cleared(coze):
    conversation = coze.conversations.create(bot_id=BOT, name="a talk")
    ask = {"conversation_id": conversation.id}
    streamed(coze, "first?", **ask)
    assert streamed(coze, "!recall", **ask) == ["first?"]
    stored = coze.conversations.messages.list(conversation_id=conversation.id, order="asc").items
    assert [message.content for message in stored][::2] == ["first?", "!recall"]
    section = coze.conversations.clear(conversation_id=conversation.id)
    retrieved = coze.conversations.retrieve(conversation_id=conversation.id)
    assert retrieved.last_section_id == section.id != conversation.last_section_id
    assert streamed(coze, "!recall", **ask) == ["还没有更早的问题。"]


def test_conversations_are_listed_renamed_and_deleted(coze):
    first = coze.conversations.create(bot_id="7480000000000000103")
    second = coze.conversations.create(bot_id="7480000000000000103", meta_data={"k": "v"})
    listed = coze.conversations.list(bot_id="7480000000000000103", page_size=50)
    assert [conversation.id for conversation in listed.items][:2] == [second.id, first.id]
    assert coze.conversations.update(conversation_id=first.id, name="new").name == "new"
    coze.conversations.delete(conversation_id=first.id)
    with pytest.raises(cozepy.CozeAPIError) as error:
        coze.conversations.retrieve(conversation_id=first.id)
    assert error.value.code == 4002


def test_messages_put_into_a_conversation_are_context(coze):
    conversation = coze.conversations.create()
    message = coze.conversations.messages.create(
        conversation_id=conversation.id, role="user", content="earlier", content_type="text"
    )
    message = coze.conversations.messages.retrieve(
        conversation_id=conversation.id, message_id=message.id
    )
    assert message.content == "earlier"
    assert streamed(coze, "!recall", conversation_id=conversation.id) == ["earlier"]


def test_pages_of_messages(coze):
    messages = [Message.build_user_question_text(str(number)) for number in range(5)]
    conversation = coze.conversations.create(messages=messages)
    page = coze.conversations.messages.list(conversation_id=conversation.id, limit=2)
    assert [message.content for message in page.items] == ["4", "3"]
    assert page.has_more
    rest = list(coze.conversations.messages.list(conversation_id=conversation.id, limit=2))
    assert [message.content for message in rest] == ["4", "3", "2", "1", "0"]


def test_cancel(coze):
    chat = coze.chat.create(**says("!slow 30"))
    ids = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
    assert coze.chat.cancel(**ids).status == ChatStatus.CANCELED
    assert coze.chat.retrieve(**ids).status == ChatStatus.CANCELED
    with pytest.raises(cozepy.CozeAPIError) as error:
        coze.chat.cancel(**ids)
    assert error.value.code == 4104
    assert streamed(coze, "!recall", conversation_id=chat.conversation_id) == ["还没有更早的问题。"]


def test_tool_outputs(coze):
    waiting = list(coze.chat.stream(**says("!requires-action")))[-1].chat
    assert waiting.status == ChatStatus.REQUIRES_ACTION
    (call,) = waiting.required_action.submit_tool_outputs.tool_calls
    ids = {"conversation_id": waiting.conversation_id, "chat_id": waiting.id}
    outputs = [cozepy.ToolOutput(tool_call_id=call.id, output="买牛奶")]
    resumed = list(coze.chat.submit_tool_outputs(**ids, tool_outputs=outputs, stream=True))
    assert resumed[0].event == ChatEventType.CONVERSATION_CHAT_IN_PROGRESS
    assert resumed[1].message.type == MessageType.TOOL_RESPONSE
    assert answers(event.message for event in resumed if event.message)[-1] == "工具返回：买牛奶"
    assert coze.chat.retrieve(**ids).status == ChatStatus.COMPLETED


def test_tool_outputs_polled_and_twice(coze):
    chat = coze.chat.create(**says("!requires-action 2"))
    ids = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
    waiting = ended(coze, **ids)
    for _ in range(2):
        (call,) = waiting.required_action.submit_tool_outputs.tool_calls
        outputs = [cozepy.ToolOutput(tool_call_id=call.id, output="done")]
        coze.chat.submit_tool_outputs(**ids, tool_outputs=outputs, stream=False)
        waiting = ended(coze, **ids)
    assert waiting.status == ChatStatus.COMPLETED


def test_files(coze, tmp_path: Path):
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"\x89PNG not really")
    with picture.open("rb") as opened:
        file = coze.files.upload(file=opened)
    assert (file.file_name, file.bytes) == ("cat.png", 15)
    assert coze.files.retrieve(file_id=file.id).created_at == file.created_at
    objects = [
        cozepy.MessageObjectString.build_text("what is this?"),
        cozepy.MessageObjectString.build_image(file_id=file.id),
    ]
    question = Message.build_user_question_objects(objects)
    events = coze.chat.stream(bot_id=BOT, user_id="alice", additional_messages=[question])
    text = "".join(event.message.content for event in events if event.event == DELTA)
    assert "what is this?" in text
    assert "收到附件：cat.png" in text


def test_bot(coze):
    bot = coze.bots.retrieve(bot_id=BOT)
    assert bot.name == "模拟助手"
    assert bot.onboarding_info.suggested_questions[0] == "你能做什么？"
    draft = coze.bots.retrieve(bot_id="7480000000000000102", is_published=False, use_api_version=2)
    assert draft.name.endswith("（草稿）")
    with pytest.raises(cozepy.CozeAPIError) as error:
        coze.bots.retrieve(bot_id="7480000000000000102")
    assert error.value.code == 4015


@pytest.mark.parametrize(
    ("word", "code"),
    [("!busy", 4013), ("!quota", 4028), ("!unpublished", 4015), ("!code 4011", 4011)],
)
def test_refusals_are_the_clients_own_exceptions(coze, word, code):
    with pytest.raises(cozepy.CozeAPIError) as error:
        coze.chat.create(**says(word))
    assert error.value.code == code
    assert error.value.logid


def test_failed_chat_breaks_the_client_as_it_does_live(coze):
    chat = coze.chat.create(**says("!failed 4028"))
    ids = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
    chat = ended(coze, **ids)
    assert (chat.status, chat.last_error.code) == (ChatStatus.FAILED, 4028)
    with pytest.raises(ValueError):  # the list lacks `data`: coze-py#425
        coze.chat.messages.list(**ids)
