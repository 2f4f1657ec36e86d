"""Fixed phrases and placeholders: how much of a text is navigation, debris, mojibake, or a form that nobody filled in.

One Aho–Corasick pass over the column finds the few rows that hold any phrase; the expressions look at those only.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

import polars as pl

from cmtp.filters.pattern import Alternative, either

_HAN: Final = "[一-鿿]"
_CROSS: Final = "[xX×╳＊]"
"""What stands for a character that is left out: xx公司."""
_OPENS: Final = r"[\[【〔<（(]"
_CLOSES: Final = r"[\]】〕>）)]"
PLACEHOLDERS: Final = (
    Alternative(r"[一-鿿，。：！] ?\{\{[^{}\n$(.]+\}\}", "的{{name}}"),
    Alternative(r"\{\{[^{}\n$(.]+\}\} ?[一-鿿，。：！]", "{{ name }}，"),
    Alternative(rf"%(?:{_HAN}+|[A-Z][A-Z_]+)%", "%USER_NAME%"),
    Alternative(
        rf"{_OPENS}(?:请|請)?(?:在此|在这里|在此处)?(?:输入|輸入|填写|填寫|插入|选择|选填)"
        rf"[^\]】〕>）)\n]*{_CLOSES}",
        "【请输入地址】",
    ),
    Alternative(
        rf"(?:请|請)(?:在此处|在此處|在这里|在此)(?:输入|輸入|填写|填寫|插入|添加|编辑)(?:您的|你的)?{_HAN}*",
        "请在此处添加您的标题",
    ),
    Alternative(rf"(?:点击|单击|單擊|點擊)此处(?:添加|编辑|輸入|输入){_HAN}*", "单击此处编辑母版标题样式"),
    Alternative(rf"<(?:您的|你的){_HAN}+>", "<您的公司>"),
    Alternative(
        r"[\[【](?:您的|你的|公司|客户|收件人|发件人)?"
        r"(?:姓名|名字|名称|公司名称?|日期|地址|电话|职位|产品名称?|标题|内容|时间|地点|金额)[\]】]",
        "[收件人姓名]",
    ),
    Alternative(r"[Ll]orem ipsum dolor|LOREM IPSUM DOLOR", "Lorem ipsum dolor"),
    Alternative(rf"{_CROSS}{_CROSS}+(?:公司|先生|女士|同志|单位|学校|大学|有限|省|市|县|区|年|月|日|号|元)", "××公司"),
    Alternative(
        rf"(?:编号|姓名|电话|地址|日期|单位|年龄|性别|公司|名称)[:：] ?(?:{_CROSS}{_CROSS}+|___+|＿＿+)",
        "姓名：____",
    ),
    Alternative(
        r"(?:^|[^A-Za-z0-9._/:-])[xX×╳][xX×╳][xX×╳][xX×╳]+(?:$|[^A-Za-z0-9._/:-])",
        "（xxxxx）",
    ),
)
"""Placeholders: a text that was filled in has none."""
PLACEHOLDER: Final = either(PLACEHOLDERS)
"""All of them in one expression; read by polars, hence Rust's regex syntax."""

DESCRIBED: Final = (
    r"(?:\}\}|[xX×╳]{3})[`\"”」]?[ ：:]*(?:是|为|為|表示|指|代表|用于|用於|对应|對應|会被|會被|将被|將被|格式)"
)
"""A placeholder that the text explains: {{TableName}} 是表的名称, 其中 xxxx 表示版本. A form explains none."""

PLACEHOLDER_HINTS: Final = [
    "{{", "%", "在此", "在这里", "此处", "此處", "[", "【", "〔请", "〔請", "<请", "<請",
    "<您", "<你", "（请", "（請", "(请", "(請", "Lorem", "lorem",
    "LOREM", "xx", "XX", "××", "╳╳", "＊＊", "___", "＿＿",
]  # fmt: skip
"""Every placeholder holds one of these."""

NOISE: Final = r"[^\p{L}\p{N}]"
"""What is removed before titles and answers are compared whole."""
HOW_TO: Final = (
    r"(?:怎么办|怎麼辦|咋办|咋整|如何是好"
    r"|(?:怎么|怎麼|如何|怎样|怎樣)(?:处理|處理|解决|解決|治疗|治療|预防|預防|应对|應對))[？?。！!\s]*$"
)
"""A question that asks for advice: 领导让我背锅怎么办？, 如何处理. A word or two cannot answer it."""
ASKS_CODE: Final = (
    r"(?i)html|css|svg|xml|json|sql|http|python|java|c\+\+|bash|shell|linux|代码|代碼|程式|程序|脚本|腳本|函数|函數|算法|命令"
    r"|标签|標籤|标记|標記|网页|網頁"
)
"""A title or question whose answer may be code, markup or a log: 写一个 Python 函数, 网页上的表格."""

ASKS_TEMPLATE: Final = (
    r"(?i)模板|模版|範本|占位|佔位|变量|變數|插值|渲染|填空|template|placeholder|jinja|handlebars|mustache"
)
"""A title or question about placeholders: 通知模板里的变量."""
ASKS_SIGNS: Final = (
    r"(?i)emoji|ascii|latex|morse|摩尔斯|摩斯|莫尔斯|电码|電碼|盲文|颜文字|顏文字|表情|符号|符號|标点|標點|图案|圖案|网格|網格"
    r"|公式|算式|方程|图形|圖形|条形图|表格|乐谱|樂譜|简谱|鼓点"
)
"""A title or question whose answer may be made of symbols: 摩尔斯电码, 用 ASCII 画一棵树."""


class Shape(NamedTuple):
    """Something that a short text says, as a pattern; read by polars, hence Rust's regex syntax.

    Attributes:
        hints: every match holds one of these.
        pattern: what is looked for.
        longest: characters of a text, at most.
    """

    hints: tuple[str, ...]
    pattern: str
    longest: int


_MODEL: Final = "(?:AI|人工智能|人工智慧|(?:大型?)?[语語]言模型|聊天机器人|聊天機器人|虚拟助手|虛擬助手|智能助手)"
_CANNOT: Final = "(?:无法|無法|不能|没有|沒有|不具备|不具備|不会|不會|没办法|沒辦法|做不到|不支持)"
SHAPES: Final = {
    "missing": Shape(
        ("不存在", "找不到", "无法访问", "無法訪問", "已删除", "已刪除", "已被", "已经", "已經", "失效", "下架"),
        r"(?:页面|頁面|网页|網頁|内容|內容|文章|帖子|链接|鏈接|商品|信息)[^。！？\n]{0,8}"
        r"(?:不存在|找不到|无法访问|無法訪問|无法显示|(?:已|已经|已經|已被|被)(?:删除|刪除|移除|移走|下架|失效|过期|關閉|关闭))"
        r"|(?:找不到|没有找到|未找到|無法找到|无法找到)[^。！？\n]{0,8}(?:页面|頁面|网页|網頁)",
        200,
    ),
    "way_back": Shape(
        ("返回", "回到", "检查", "檢查", "核对", "确认", "稍后", "稍後", "跳转", "跳轉", "管理员", "管理員"),
        r"(?:返回|回到)[^。！？，\n]{0,6}(?:首页|首頁|主页|主頁|上一页|上一頁)"
        r"|(?:检查|檢查|核对|确认)[^。！？，\n]{0,8}(?:网址|網址|地址|链接|鏈接|URL|拼写)"
        r"|(?:稍后|稍後)[^。！？，\n]{0,4}(?:再试|再試|重试|访问|刷新)|秒[后後][^。！？，\n]{0,4}(?:跳转|跳轉|返回)"
        r"|(?:联系|聯繫)[^。！？，\n]{0,4}(?:管理员|管理員)",
        200,
    ),
    "refusal": Shape(
        (
            "抱歉",
            "对不起",
            "對不起",
            "不好意思",
            "遗憾",
            "遺憾",
            "作为",
            "作為",
            "是一个",
            "是一個",
            "是AI",
            "是人工智能",
        ),
        rf"(?:作为|作為|我(?:只)?是)(?:一个|一個|一名|一款|一种)?{_MODEL}[^。！？\n]{{0,30}}?{_CANNOT}"
        rf"|^(?:很|非常|真的)?(?:抱歉|对不起|對不起|不好意思|遗憾|遺憾)[^。！？\n]{{0,20}}?{_CANNOT}[^。！？\n]{{0,6}}?"
        r"(?:获取|獲取|提供|访问|訪問|浏览|瀏覽|回答|生成|完成|执行|執行|显示|顯示|播放|查看|预测|預測|绘制|繪製|创建|建立"
        r"|打开|讨论|給出|给出|满足|处理|協助|协助|进行|透露|确定|联网|实时|輸出|输出)",
        200,
    ),
}
"""What a passage may say besides the phrases of the lists: a page is not there, where to go, a model declines."""
ADDRESS: Final = (
    r"^\s*(?:(?:https?|ftp)://|www\.)\S+\s*$|^\s*(?:[\w-]+\.)+[a-zA-Z]{2,}/\S*\.(?:s?html?|php|aspx?|jsp)\S*\s*$"
)
"""A query that is an address of the web and nothing else."""
SAYS_MISSING: Final = r"404|(?:页面|頁面|网页|網頁)[^？?]{0,4}(?:不存在|未找到|找不到|丢失|遺失)"
"""A title of a page that is not there."""
EXPLAINS: Final = r"如何|怎么|怎麼|怎样|怎樣|为什么|為什麼|什么|什麼|原因|处理|解决|区别|[？?]"
"""A title that promises an explanation: 什么是404错误."""


@cache
def phrases(name: str) -> list[str]:
    """The lines of a phrase list in `lexicons/`, without comments, longest first."""
    lines = (files("cmtp.filters") / "lexicons" / f"{name}.txt").read_text("utf-8").splitlines()
    return sorted({line for line in lines if line and not line.startswith("#")}, key=lambda line: (-len(line), line))


def spread(length: int, rows: pl.Series, values: pl.Series) -> pl.Series:
    """An Int64 column of zeros, `length` long, with values at some rows."""
    return pl.zeros(length, pl.Int64, eager=True).scatter(rows, values)


def _chars_in(strings: pl.Series) -> pl.Series:
    """Characters per row of a column of lists of strings, Int64."""
    return strings.list.eval(pl.element().str.len_chars()).list.sum().cast(pl.Int64).fill_null(0)


def phrase_rows(column: pl.Series, names: tuple[str, ...]) -> pl.Series:
    """Numbers of the rows that hold a phrase of any of the lists, or a hint of a placeholder; one pass for all."""
    return column.str.contains_any(
        [*PLACEHOLDER_HINTS, *(phrase for name in names for phrase in phrases(name))]
    ).arg_true()


def phrase_chars(column: pl.Series, name: str) -> tuple[pl.Series, pl.Series]:
    """Per row: characters in phrases of a list, and how many different phrases. Int64 both."""
    patterns = phrases(name)
    rows = column.str.contains_any(patterns).arg_true()
    matched = column.gather(rows).str.extract_many(patterns, leftmost=True)
    kinds = matched.list.n_unique().cast(pl.Int64)
    return spread(len(column), rows, _chars_in(matched)), spread(len(column), rows, kinds)


def shape_flags(column: pl.Series, name: str) -> pl.Series:
    """1 where a text has a shape of `SHAPES`, else 0. Int64."""
    shape = SHAPES[name]
    short = (column.str.len_chars() <= shape.longest).arg_true()
    rows = short.gather(column.gather(short).str.contains_any(list(shape.hints)).arg_true())
    return spread(len(column), rows, column.gather(rows).str.contains(shape.pattern).cast(pl.Int64))


def placeholder_chars(column: pl.Series) -> pl.Series:
    """Characters per row in unfilled placeholders; none where the text explains one."""
    rows = column.str.contains_any(PLACEHOLDER_HINTS).arg_true()
    rows = rows.gather((~column.gather(rows).str.contains(DESCRIBED)).arg_true())
    return spread(len(column), rows, _chars_in(column.gather(rows).str.extract_all(PLACEHOLDER)))


def is_listed(column: pl.Series, name: str, longest: int = 40) -> pl.Series:
    """1 where a text is one of the phrases, case, white space and punctuation aside; else 0. Int64.

    Texts of more than `longest` characters are not looked at.
    """
    rows, bare = _bare(column, longest)
    wanted = [re.sub(r"[\W_]", "", phrase.lower()) for phrase in phrases(name)]
    return spread(len(column), rows, bare.is_in(wanted).cast(pl.Int64))


def only_listed(column: pl.Series, name: str, longest: int = 24) -> pl.Series:
    """1 where a text consists of phrases of a list, in any order and number, and punctuation; else 0. Int64.

    Texts of more than `longest` characters are not looked at.
    """
    rows, bare = _bare(column, longest)
    wanted = sorted({re.sub(r"[\W_]", "", phrase.lower()) for phrase in phrases(name)}, key=lambda w: (-len(w), w))
    pattern = "^(?:" + "|".join(map(re.escape, wanted)) + ")+$"
    return spread(len(column), rows, bare.str.contains(pattern).cast(pl.Int64))


def _bare(column: pl.Series, longest: int) -> tuple[pl.Series, pl.Series]:
    """Numbers of the rows of at most `longest` characters, and their letters and digits in lower case."""
    rows = (column.str.len_bytes() <= longest * 4).arg_true()
    return rows, column.gather(rows).str.to_lowercase().str.replace_all(NOISE, "")
