"""Signs that models and people write: what is markup, and what stays as it was written."""

import pytest

from chat.page.rendering import GrowingMarkdown, render

AS_WRITTEN = [
    "苹果($AAPL)和微软($MSFT)都涨了",
    "涨的有$AAPL，跌的有$MSFT。",
    "模板里写 ${name}和${age} 即可",
    "路径是$HOME/bin:$PATH",
    "从$5涨到$8，又跌到$6",
    "costs $5 and $10",
    "US$5，HK$39",
    "(A$)和(B$)",
    "你好呀~~，很高兴见到你~~",
    "好哒~~我们走吧~~",
    "约3~5天，~10元",
    "手机号138****5678与139****1234",
    "尾号****1234和****5678",
    "张**，李**，王**",
    "张**和李**，王*与赵*都到了",
    "李*明与王*红",
    "邮箱zhang***@a.cn和li***@b.cn",
    "面积是a*b*c，f***k",
    "sk-****abcd与sk-****efgh",
    "你好~~今天天气不错~~",
    "拜~~～走了~~",
    "亲~~~好~~~",
    "用$0和$1取参数，$#是个数",
    'jQuery的$("#id")和$(".class")',
    "$PATH和$(pwd)、$(date)",
    "$a=$b，$x+$y，$user=1;$pass=2",
    "从$-5和$-6起",
    "包里的__init__.py调用self.__class__和__import__(x)",
    "5*3*2=30",
    "a ** b",
    "snake_case_name",
    "2 < 3 > 1",
    "<think>",
    "\\[1\\] 作者",
    "优点：\n===",
    "花了$20，剩$5.5",
    "变量 $i 从 $0 到 $n",
    "路径${HOME}/x-${USER}",
    "$.ajax和$.get是jQuery的",
    "用${{ github.ref }}和${{ github.sha }}",
    "Makefile里写$@和$^",
    "$$是进程号，$?是返回值",
    "正则^\\d+$和^\\w+$",
    "以.txt$结尾、以^abc开头，如^a.*b$",
    "气温10~~15度，湿度40~~60%",
    "v1.0~~v2.0和v3.0~~v4.0",
    "哈哈哈~~笑死~~",
    "面积=长*宽，周长=2*(长+宽)",
    "总价 = 单价*数量*折扣",
    "长*宽*高",
    "服务****很好，口味***一般",
    "带*的是必填，带*的要盖章",
    "必填项用*标出，选填项用**标出",
    "客户赵*、钱*和孙*，钱**没来",
    "邮箱是 a***@x.com 或 b***@y.com",
    "路径是C:\\Users\\__main__\\_cache\\.ssh",
    "D:\\.git和\\\\server\\_share\\a",
    "(*^_^*) 和 （*＾-＾*） 和 o(*￣︶￣*)o",
    "^_^ T_T -_-||",
    ">_<好尴尬",
    ">60分：及格\n>=80分：良好",
    "~~~好耶~~~\n下一行",
    "~~~啦啦啦",
    "vector<b> 和 List<String>",
    "用<li>包住，用<ul>和</ul>包起来",
    "1.准备\n2.下锅",
    "(*)必填 （*）可选",
    "*.md和*.txt文件",
    "__init__ 与 __name__ == '__main__'",
    "👨\u200d👩\u200d👧\u200d👦一家，👍🏽，🏳️\u200d🌈",
]


@pytest.mark.parametrize("text", AS_WRITTEN)
def test_signs_that_are_no_markup_stay(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    expected = escaped.replace("\\[", "[").replace("\\]", "]").replace("\n", "<br>\n")
    assert render(text) == f"<p>{expected}</p>\n"


MARKED = [
    ("~~旧价：~~新价", "<s>旧价：</s>新价"),
    ("原价~~100元~~80元", "<s>100元</s>80元"),
    ("**注意：**请看", "<strong>注意：</strong>请看"),
    ("他说**“好”**了", "<strong>“好”</strong>了"),
    ("这是**重点**，记住", "<strong>重点</strong>，"),
    ("**1.** 第一", "<strong>1.</strong> 第一"),
    ("**（一）**总则", "<strong>（一）</strong>总则"),
    ("**《论语》**：儒家", "<strong>《论语》</strong>：儒家"),
    ("用**、**隔开", "<strong>、</strong>"),
    ("涨了**5%**。", "<strong>5%</strong>。"),
    ("**王**和**李**", "<strong>王</strong>和<strong>李</strong>"),
    ("Python**3**版", "Python<strong>3</strong>版"),
    ("__重点__：__Note__ a", "<strong>重点</strong>：<strong>Note</strong>"),
    ("$$x$$ 和 $$y$$", "</math> 和 <math"),
    ("速度$v=3$m/s，$x$-轴", "</math>m/s，<math"),
    ("<strong>强</strong><ins>增</ins>", "<strong>强</strong><ins>增</ins>"),
    ("一<br>\n二", "<p>一<br>\n二</p>"),
    ("<!-- 注 -->\n正文", "<p>正文</p>"),
    (
        "<details>\n<summary>\n多行\n</summary>\n内容\n</details>",
        "<summary>多行</summary>\n<p>内容",
    ),
    ("***又粗又斜***的", "<em><strong>又粗又斜</strong></em>的"),
    ("买$AAPL，解$x^2=4$", "买$AAPL，解<math"),
    ("设 $f(x)=\\left\\{x\\right.$ 则", "<math"),
    ("区间$[0,1)$内", "<math"),
    ("$\\text{速度}=\\frac{距离}{时间}$", "<math"),
    ("the $n$th term and the $2^k$th", "</math>th term and the <math"),
    ("2*3=6，3*4=12", "2*3=6，3*4=12"),
    ("满**¥100**2件", "<strong>¥100</strong>2件"),
    ("2**10和3**2", "2**10和3**2"),
    ("变量$name和`$age`不同", "变量$name和<code>$age</code>不同"),
    ("`a` 和 $`b`$", "<code>b</code>"),
    ("见\\[注\\]和\\[2-4\\]，\\(含税\\)", "见[注]和[2-4]，(含税)"),
    ("\\[TODO 补充\\]", "<p>[TODO 补充]</p>"),
    ("\\(x\\)和\\(\\text{速度}\\)", "</math>和<math"),
    ("    第一段，四个空格。\n\n    第二段。", "<p>第一段，四个空格。</p>\n<p>第二段。</p>"),
    ("    x = 1", "<code>x = 1</code>"),
    (">1. 引用", "<blockquote>\n<ol>"),
    (">引用", "<blockquote>\n<p>引用"),
    ("~~~python\nx\n~~~", 'data-language="python"'),
    ("~~~\nx\n~~~\n后", "<p>后</p>"),
    ("这是*重点*内容", "<em>重点</em>"),
    ("**C:\\Users\\**下", "<strong>C:\\Users\\</strong>下"),
    ("当 x = 1 时这是*重点*内容", "<em>重点</em>"),
]


@pytest.mark.parametrize(("text", "html"), MARKED)
def test_signs_that_are_markup_become_elements(text: str, html: str) -> None:
    assert html in render(text)


@pytest.mark.parametrize("text", AS_WRITTEN + [text for text, _ in MARKED])
def test_signs_that_come_one_by_one_are_the_same(text: str) -> None:
    growing = GrowingMarkdown()
    for character in text:
        growing.feed(character)
        growing.changes()
    growing.changes(last=True)
    assert "".join(growing.blocks()) == render(text)


ADDRESSES = [
    "https://github.com/x/y/blob/main/__init__.py",
    "https://a.example/_a_b_",
    "https://a.example/*x*y",
    "https://a.example/$x$/~~y~~/z",
    "https://a.example/a_(b)",
    "https://a.example/?q=[1]&x=<".removesuffix("<"),
    "HTTPS://A.example/x",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("frame", ["{}", "见 {}。", "({})", "**{}**", "|a|\n|-|\n|{}|", "- {}，"])
def test_an_address_is_one_link(address: str, frame: str) -> None:
    href = address.replace("&", "&amp;")
    assert f'<a href="{href}" target' in render(frame.format(address))


def test_an_escaped_sign_in_an_address_is_the_sign() -> None:
    assert 'href="https://a.example/a_b"' in render(r"https://a.example/a\_b")


TAGS = [
    ("|a|\n|-|\n|一<br>二<br/>三|", "<td>一<br>\n二<br>\n三</td>"),
    ("H<sub>2</sub>O", "H<sub>2</sub>O"),
    ("x<sup>2</sup>", "x<sup>2</sup>"),
    ("<kbd>Ctrl</kbd>+<u>C</u>", "<kbd>Ctrl</kbd>+<u>C</u>"),
    ("<mark>重</mark><b>粗</b><i>斜</i><s>删</s>", "<mark>重</mark><b>粗</b><i>斜</i><s>删</s>"),
    ("<B>**两**</B>", "<b><strong>两</strong></b>"),
    ("a<!-- note -->b", "<p>ab</p>"),
    ("a\n\n<!-- note -->\n\nb", "<p>a</p>\n<p>b</p>"),
    ("<b>open", "&lt;b&gt;open"),
    ("close</b>", "close&lt;/b&gt;"),
    ("<b class=x>a</b>", "&lt;b class=x&gt;a&lt;/b&gt;"),
    ("`<br>`", "<code>&lt;br&gt;</code>"),
    (
        "<details>\n<summary>点**我**</summary>\n\n- 一\n</details>\n\n后",
        "<details>\n<summary>点<strong>我</strong></summary>\n<ul>\n<li>一</li>\n</ul>\n</details>\n<p>后",
    ),
    ("<details><summary>问</summary>答</details>", "<summary>问</summary>\n<p>答</p>"),
    ("<details>\n没有结尾\n\n后", '<details open="">'),
    ("<ruby>汉<rt>hàn</rt></ruby>字", "<ruby>汉<rt>hàn</rt></ruby>字"),
    ("<small>注</small><code>x</code>", "<small>注</small><code>x</code>"),
    (
        "|a|\n|-|\n|有：<ul><li>一</li><li>**二**</li></ul>|",
        "<td>有：<br>\n• 一<br>\n• <strong>二</strong></td>",
    ),
    ("|a|\n|-|\n|<ol><li>一</li><li>二</li></ol>|", "<td>1. 一<br>\n2. 二</td>"),
    ("<ul>空</ul>", "&lt;ul&gt;空&lt;/ul&gt;"),
]


@pytest.mark.parametrize(("text", "html"), TAGS)
def test_harmless_tags_are_elements(text: str, html: str) -> None:
    assert html in render(text)


def test_a_fence_of_markdown_holds_fences_with_a_language() -> None:
    html = render("```markdown\n# 安装\n```bash\nls\n```\n完\n```\n外面")
    assert html.count("<pre") == 1
    assert html.endswith("<p>外面</p>\n")


FORMULAS = [r"\ce{2H2 + O2 ->[点燃] 2H2O}", r"\unknown{x}", r"\frac{1}", "{" * 500, r"\href{x}{y}"]


@pytest.mark.parametrize("source", FORMULAS)
def test_a_formula_without_meaning_is_its_source(source: str) -> None:
    html = render(f"\\({source}\\)")
    escaped = source.replace(">", "&gt;")
    assert f'<code class="formula">{escaped}</code>' in html


def test_the_indent_of_a_paragraph_stays() -> None:
    html = "<p>\u3000\u3000第一段<br>\n\u3000\u3000第二段</p>\n"
    assert render("\u3000\u3000第一段\n\u3000\u3000第二段") == html


LANGUAGES = [("Python title=x", "python"), ("c++", "c++"), ("objective-c", "objective-c")]


@pytest.mark.parametrize(("info", "language"), LANGUAGES)
def test_code_names_its_language(info: str, language: str) -> None:
    html = render(f"```{info}\nx < 1\n```")
    assert f'<code class="language-{language}">x &lt; 1</code>' in html
    assert f'data-language="{language}"' in html


def test_a_strange_language_is_left_out() -> None:
    assert '<div class="code"><pre tabindex="0"><code>x' in render("```<i>\nx\n```")


def test_an_unfinished_line_decides_nothing() -> None:
    growing = GrowingMarkdown()
    for character in "优点有三条：\n- 便宜\n- 好用\n\n# 标题\n\n| a | b |\n|---|---|\n| 1 | 2 |":
        growing.feed(character)
        growing.changes()
        html = "".join(growing.blocks())
        assert "<hr" not in html and "优点有三条：</h" not in html, html
        assert "<p>#" not in html and "<p>-" not in html and "---" not in html, html
