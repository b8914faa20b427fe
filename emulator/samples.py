"""Texts of the emulated agents: the friendly answers, the rich Markdown, filling."""

FRIENDLY_ZH = """这是**内置模拟器**的回答：没有连接任何平台，也不消耗额度，\
所以我并不真正理解你的话。

你问的是（这是第 {number} 个问题）：

{quoted}

你可以这样试用本站：

- “用表格比较一下三种会员套餐”，看看排版
- “满 200 减 30 相当于打几折？写出公式”
- “如果平台出错，顾客会看到什么？”

```python
print("填好 .env 之后，这里就是真正的智能体")
```"""

FRIENDLY_EN = """This is the **built-in emulator**: no platform is connected, nothing is billed, \
I only echo.

You asked (question {number}):

{quoted}

Try these:

- “Compare plans in a table”
- “30 off 200: show me the formula”
- “What if the platform fails?”

```python
print("a real agent, once .env is set — 你好")
```"""

PLAIN_ZH = "你说：{question}\n\n这是第 {number} 个问题。"
PLAIN_EN = "You said: {question}\n\nThis is question {number} — 这是第 {number} 个问题。"

THOUGHT_ZH = "用户发来了一个问题。我是模拟器，所以先想一想，再把问题重复一遍。"
THOUGHT_EN = (
    "The user has asked something. I am an emulator — 所以 I think a little and then echo it."
)

SUGGESTIONS_ZH = ("能举个例子吗？", "请说得更简单些", "接下来该怎么做？")
SUGGESTIONS_EN = ("Can you give an example?", "Please put it more simply", "What should I do next?")

TABLE_ZH = """三种会员套餐可以这样比较：

| 套餐 | 月费 | 折扣 | 适合谁 |
|:-----|-----:|:----:|:-------|
| 基础 | 0 元 | 无 | 偶尔来的顾客 |
| 银卡 | 29 元 | 9 折 | 每月来两三次 |
| 金卡 | 59 元 | **8 折** | 每周都来的老顾客 |

按每单 80 元算，金卡每月来 **4 次**就比基础套餐划算。"""
TABLE_EN = """Three plans, side by side:

| Plan | Monthly | Discount | For whom |
|:-----|--------:|:--------:|:---------|
| Basic | 0 | none | who drops in now and then |
| Silver | 29 | 10 % | two or three visits a month |
| Gold | 59 | **20 %** | regulars |

At 80 an order, Gold pays off from **4 visits** a month on."""
FORMULA_ZH = r"""满 200 减 30，实付 170 元：

$$
\text{折扣} = \frac{200 - 30}{200} = 0.85
$$

也就是 **8.5 折**。刚好凑满 200 元时最划算；买得越多，折扣力度反而越小。"""
FORMULA_EN = r"""With 30 off 200, one pays 170:

$$
d = \frac{200 - 30}{200} = 0.85
$$

That is **15 % off**, and best at exactly 200: the more one buys, the smaller the discount."""
POSTER_ZH = "这是店铺门口海报的草图，文案建议：**“今天天气好，进来坐坐。”**"
POSTER_EN = "A sketch of the poster, with a line for it: **“Lovely day. Come in.”**"
PLAN_ZH = """可以分三步估算备货：

1. **看去年**：取去年同期销量，乘以今年的增长率。
2. **留余量**：畅销款多备 30%，新品先少量试卖。
3. **定补货点**：剩下 20% 时下单补货，别等卖空。"""
PLAN_EN = """In three steps:

1. **Look back**: last year's sales of the season, times this year's growth.
2. **Leave room**: 30 % more of what sells well, a little of what is new.
3. **Order again** at 20 % left, not at nothing."""
FAILURE_ZH = """平台中途出错时，已经写出来的部分会留在页面上，就像你现在看到的这几句；\
下面的提示说明发生了什么、可以怎么办，点“重新生成”就能再试一次。"""
FAILURE_EN = """If the platform fails halfway, what was written stays on the page, as this does; \
the note below says what happened and what to do, and “Regenerate” asks once more."""
# By magic word: in Chinese, in English.
FOR_A_SHOP = {
    "table": (TABLE_ZH, TABLE_EN),
    "formula": (FORMULA_ZH, FORMULA_EN),
    "poster": (POSTER_ZH, POSTER_EN),
    "plan": (PLAN_ZH, PLAN_EN),
    "failure": (FAILURE_ZH, FAILURE_EN),
}

FILLING = "模拟器在说一段很长的话，好让页面有事可做 — a long answer keeps the page busy. 🌊\n\n"

MARKDOWN = r"""# 一级标题 Heading

## 二级标题

一段**粗体**、*斜体*、~~删除线~~和 `inline code`，还有 emoji 🎉，以及[一个链接](https://example.com/a?b=1&c=2)。

- 第一项
  - 嵌套的一项
- 第二项

1. one
2. two

- [x] 已完成
- [ ] 未完成

| 城市 | 气温 | 备注 |
|:-----|-----:|:----:|
| 北京 | 21 °C | 晴 |
| Shanghai | 25 °C | cloudy |

> 引用：千里之行，始于足下。

```python
def greet(name: str) -> str:
    return f"你好, {name}"  # a comment
```

行内公式 $E = mc^2$，独立公式：

$$
\int_0^1 x^2 \, dx = \frac{1}{3}
$$

下面的 HTML 不该生效：<script>alert("xss")</script><img src=x onerror="alert(1)">
<a href="javascript:alert(2)">click</a> [bad](javascript:alert(3)) <iframe src="https://evil.example"></iframe>

---

末行。
"""
