"""A history for one visitor, written in bulk: for tests and benches that need a lot to have been
said.
"""

import random
import secrets
import time
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Engine, insert, select

from chat.china import CHINA
from chat.storage.engine.kinds import kind_of
from chat.storage.engine.numbers import NextSequence
from chat.storage.models import Base
from chat.storage.owner.outcomes import mark_of
from chat.storage.search.plain import searchable

CHUNK = 1000
SAID = (
    "我们 可以 先 把 问题 分成 几个 小 步骤 然后 逐个 解决 天气 今天 明天 北京 上海 旅行 路线 "
    "预算 火车 高铁 机票 学习 编程 网站 数据库 性能 测试 部署 服务器 智能体 模型 提示词 知识库 "
    "工作流 用户 消息 合同 发票 报销 会议 健康 饮食 运动 睡眠 苹果 香蕉 电影 音乐 小说 历史 地理 "
    "物理 化学 数学 微积分 概率 统计 论文 摘要 翻译 润色 Python Flask SQLite Redis Linux Docker "
    "API JSON token prompt 。 ， ！ ？ 、 \n\n - ** 1."
).split(" ")


def fill(
    engine: Engine,
    visitor: str,
    conversations: int = 10_000,
    answers: int = 3,
    *,
    agent: str = "coze",
    words: int = 120,
    apart_s: float = 60.0,
    seed: int = 1,
) -> list[str]:
    """Stores so many conversations of so many ended answers each; their ids, oldest first.

    An answer is about twice as many characters as `words`. The last one ended a minute ago, the
    others lie `apart_s` apart; the same seed says the same things."""
    chance = random.Random(seed)
    at = time.time() - 60 - apart_s * conversations * answers
    ids: list[str] = []
    with engine.connect() as db:
        sequence = db.scalar(select(NextSequence())) or 1
    for start in range(0, conversations, CHUNK):
        kept: list[dict[str, Any]] = []
        said: list[dict[str, Any]] = []
        for number in range(start, min(start + CHUNK, conversations)):
            exchanges = [
                {**_exchange(chance, words, at + apart_s * turn), "sequence": sequence + turn}
                for turn in range(answers)
            ]
            for earlier, later in pairwise(exchanges):
                later["parent"] = earlier["id"]
            sequence += answers
            at += apart_s * answers
            ids.append(f"{exchanges[0]['id'][:11]}{secrets.token_hex(9)}")
            kept.append(_conversation(ids[-1], visitor, agent, f"{number} ", exchanges))
            said += [{**one, "conversation_id": ids[-1]} for one in exchanges]
        with engine.begin() as db:
            db.execute(insert(Base.metadata.tables["conversations"]), kept)
            db.execute(insert(Base.metadata.tables["answers"]), said)
            outcomes = [_outcome(one, visitor, agent) for one in said]
            db.execute(insert(Base.metadata.tables["outcomes"]), outcomes)
            kind_of(db).restart_numbers(db)
    return ids


def _conversation(
    id: str, visitor: str, agent: str, title: str, exchanges: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "id": id,
        "visitor": visitor,
        "agent": agent,
        "title": (title + exchanges[0]["question"])[:40],
        "created_at": exchanges[0]["created_at"],
        "updated_at": exchanges[-1]["created_at"],
        "sequence": exchanges[-1]["sequence"],
    }


def _outcome(answer: dict[str, Any], visitor: str, agent: str) -> dict[str, Any]:
    day = answer["created_at"].astimezone(CHINA).date()
    return {
        "answer_id": answer["id"],
        "day": day.isoformat(),
        "agent": agent,
        "visitor_mark": mark_of(visitor, day),
        "state": answer["state"],
    }


def _exchange(chance: random.Random, words: int, at: float) -> dict[str, Any]:
    moment = datetime.fromtimestamp(at, UTC)
    question = "".join(chance.choices(SAID[:-8], k=8))
    reply = "".join(chance.choices(SAID, k=words))
    return {
        "id": f"{int(at * 1000):011x}{secrets.token_hex(9)}",
        "parent": None,
        "question": question,
        "replies": [reply],
        "plain": searchable(question, [reply]),
        "state": "done",
        "finish_reason": "stop",
        "worker": "filled",
        "created_at": moment,
        "ended_at": moment,
    }
