"""Fixed phrases and placeholders: how much of a text is navigation, debris, mojibake, or a form that nobody filled in.

One Aho–Corasick pass over the column finds the few rows that hold any phrase; the expressions look at those only.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final

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
        rf"{_OPENS}(?:请|請)?(?:在此|在这里|在此处)?(?:输入|輸入|填写|填寫|插入|替换|选择|选填)"
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


def placeholder_chars(column: pl.Series) -> pl.Series:
    """Characters per row in unfilled placeholders."""
    rows = column.str.contains_any(PLACEHOLDER_HINTS).arg_true()
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
