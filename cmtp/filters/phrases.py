"""Fixed phrases and placeholders: how much of a text is navigation, debris, mojibake, empty or a form to fill.

Aho–Corasick over the column finds the few rows that have any; only those are looked at closer.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final

import polars as pl

_HAN: Final = "[一-鿿]"
PLACEHOLDER: Final = (
    r"[一-鿿，。：！] ?\{\{[^{}\n$(.]+\}\}"
    r"|\{\{[^{}\n$(.]+\}\} ?[一-鿿，。：！]"
    rf"|%(?:{_HAN}+|[A-Z][A-Z_]+)%"
    r"|[\[【〔<（(](?:请|請)?(?:在此|在这里|在此处)?(?:输入|輸入|填写|填寫|插入|替换|选择|选填)[^\]】〕>）)\n]*[\]】〕>）)]"
    rf"|(?:请|請)(?:在此处|在此處|在这里|在此)(?:输入|輸入|填写|填寫|插入|添加|编辑)(?:您的|你的)?{_HAN}*"
    rf"|(?:点击|单击|單擊|點擊)此处(?:添加|编辑|輸入|输入){_HAN}*"
    rf"|<(?:您的|你的){_HAN}+>"
    r"|[\[【](?:您的|你的|公司|客户|收件人|发件人)?(?:姓名|名字|名称|公司名称?|日期|地址|电话|职位|产品名称?|标题|内容|时间|地点|金额)[\]】]"
    r"|[Ll]orem ipsum dolor|LOREM IPSUM DOLOR"
    r"|[xX×╳＊][xX×╳＊]+(?:公司|先生|女士|同志|单位|学校|大学|有限|省|市|县|区|年|月|日|号|元)"
    r"|(?:编号|姓名|电话|地址|日期|单位|年龄|性别|公司|名称)[:：] ?(?:[xX×╳＊][xX×╳＊]+|___+|＿＿+)"
    r"|(?:^|[^A-Za-z0-9._/:-])[xX×╳][xX×╳][xX×╳][xX×╳]+(?:$|[^A-Za-z0-9._/:-])"
)
"""Placeholders that a filled-in text has none of (Rust regex syntax; read by polars)."""

PLACEHOLDER_HINTS: Final = [
    "{{", "%", "在此", "在这里", "此处", "此處", "[", "【", "〔请", "〔請", "<请", "<請",
    "<您", "<你", "（请", "（請", "(请", "(請", "Lorem", "lorem",
    "LOREM", "xx", "XX", "××", "╳╳", "＊＊", "___", "＿＿",
]  # fmt: skip
"""What a placeholder cannot do without."""

NOISE: Final = r"[^\p{L}\p{N}]"
"""Removed before titles and answers are compared whole."""


HOW_TO: Final = (
    r"(?:怎么办|怎麼辦|咋办|咋整|如何是好"
    r"|(?:怎么|怎麼|如何|怎样|怎樣)(?:处理|處理|解决|解決|治疗|治療|预防|預防|应对|應對))[？?。！!\s]*$"
)
"""A question that asks for advice, which no word or two can give."""


ASKS_CODE: Final = (
    r"(?i)html|css|svg|xml|json|sql|http|python|java|c\+\+|bash|shell|linux|代码|代碼|程式|程序|脚本|腳本|函数|函數|算法|命令"
    r"|标签|標籤|标记|標記|网页|網頁"
)
"""A title or question whose answer may be code, markup or a log."""


@cache
def phrases(name: str) -> list[str]:
    """The lines of a phrase list in `lexicons/`, without comments, longest first."""
    lines = (files("cmtp.filters") / "lexicons" / f"{name}.txt").read_text("utf-8").splitlines()
    return sorted({line for line in lines if line and not line.startswith("#")}, key=lambda line: (-len(line), line))


def spread(length: int, rows: pl.Series, values: pl.Series) -> pl.Series:
    """A new Int64 column of zeros with values at some rows."""
    return pl.zeros(length, pl.Int64, eager=True).scatter(rows, values)


def _chars_in(column: pl.Series, found: pl.Series) -> pl.Series:
    """Characters per row in the strings of a list column, as Int64 of the column's length; `found` is that list."""
    return found.list.eval(pl.element().str.len_chars()).list.sum().cast(pl.Int64).fill_null(0).rename(column.name)


def phrase_rows(column: pl.Series, names: tuple[str, ...]) -> pl.Series:
    """Rows that hold a phrase of any of the lists, or what a placeholder has: one pass for all of them."""
    return column.str.contains_any(
        [*PLACEHOLDER_HINTS, *(phrase for name in names for phrase in phrases(name))]
    ).arg_true()


def phrase_chars(column: pl.Series, name: str) -> tuple[pl.Series, pl.Series]:
    """Per row: characters in phrases of a list, and how many different phrases."""
    patterns = phrases(name)
    rows = column.str.contains_any(patterns).arg_true()
    found = column.gather(rows).str.extract_many(patterns, leftmost=True)
    kinds = found.list.n_unique().cast(pl.Int64)
    return spread(len(column), rows, _chars_in(column, found)), spread(len(column), rows, kinds)


def placeholder_chars(column: pl.Series) -> pl.Series:
    """Characters per row in unfilled placeholders."""
    rows = column.str.contains_any(PLACEHOLDER_HINTS).arg_true()
    return spread(len(column), rows, _chars_in(column, column.gather(rows).str.extract_all(PLACEHOLDER)))


def is_listed(column: pl.Series, name: str, longest: int = 40) -> pl.Series:
    """Whether a text is, but for case, white space and punctuation, one of the phrases. Int64: 1 or 0."""
    rows, bare = _bare(column, longest)
    wanted = [re.sub(r"[\W_]", "", phrase.lower()) for phrase in phrases(name)]
    return spread(len(column), rows, bare.is_in(wanted).cast(pl.Int64))


def only_listed(column: pl.Series, name: str, longest: int = 24) -> pl.Series:
    """Whether a text holds nothing but phrases of a list, in any order and number, and punctuation. Int64: 1 or 0."""
    rows, bare = _bare(column, longest)
    wanted = sorted({re.sub(r"[\W_]", "", phrase.lower()) for phrase in phrases(name)}, key=lambda w: (-len(w), w))
    pattern = "^(?:" + "|".join(map(re.escape, wanted)) + ")+$"
    return spread(len(column), rows, bare.str.contains(pattern).cast(pl.Int64))


def _bare(column: pl.Series, longest: int) -> tuple[pl.Series, pl.Series]:
    """Rows of at most so many characters, and their letters and digits in lower case."""
    rows = (column.str.len_bytes() <= longest * 4).arg_true()
    return rows, column.gather(rows).str.to_lowercase().str.replace_all(NOISE, "")
