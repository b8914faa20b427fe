"""Texts of the emulated agents: the friendly answers, the rich Markdown, filling."""

FRIENDLY_ZH = """这是**内置模拟器**的回答：没有连接任何平台，也不消耗额度，\
所以我并不真正理解你的话。

你问的是（这是第 {number} 个问题）：

{quoted}

你可以这样试用本站：

- 写 `!markdown`，看看表格、公式和代码的排版
- 写 `!recall`，看看我还记得前面哪些问题
- 写 `!slow 3` 或 `!late-error`，看看等待和出错时的样子

```python
print("填好 .env 之后，这里就是真正的智能体")
```"""

FRIENDLY_EN = """This is the **built-in emulator**: no platform is connected, nothing is billed, \
I only echo.

You asked (question {number}):

{quoted}

Try these:

- `!markdown` for tables, formulas, code
- `!recall` for what I remember
- `!late-error` for a failure

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
