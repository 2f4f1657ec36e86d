"""No expression and no rule of the filter grows faster than the text: twice the text, twice the work.

Processor time is compared, which a loaded machine hardly changes; the bound is far from what linear work takes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from cmtp.filters import contact, offer, phrases, private
from cmtp.filters.fold import matching_form
from cmtp.filters.private import find_private
from tests.filters.helpers import MATCHER, judged

LARGEST: int = 128 * 1024
"""Bytes of the larger text: quadratic work on it takes far more than the five seconds that are allowed."""
PATTERNS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in (contact, offer, private)
    for name, value in vars(module).items()
    if isinstance(value, re.Pattern) and name not in ("_BEFORE", "_AFTER")
} | {f"phrases.{name}": re.compile(shape.pattern) for name, shape in phrases.SHAPES.items()}
"""Expressions that read whole texts; those of `private_checks` and beside a term see a few dozen characters.
Polars reads those of phrases with an engine that is linear; Python reads them here.
"""
# fmt: off
ATOMS = (
    "1", "a", "A", "v", "一", "信", "。", " ", "_", "@", "`", "=", ":", "(", "[", "a@", "a.", "a-", "1-", "1.", "1 ",
    "a1", "a_", "a@b.", "a@163.com ", "13800138000-", "微信", "QQ", "加", "手机", "E1", "京A", "返回", "页面",
    "抱歉，我", "作为AI", "{{a}}是", "买一送", "1:", "62220214", "110105", "\n", "Tel ", "a=", "每1", "q.q", "a.com",
)
# fmt: on
LONG = {
    "texts of many mailboxes": "写信给 a1@163.com，",
    "of many numbers": "电话13800138000，",
    "of Latin words": "cluster destroy ",
}


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Kernels and word lists are ready before anything is measured."""
    judged(("西湖", "杭州市西部的湖泊，`a` <b> 1"))


def growth(work: Callable[[str], object], atom: str) -> None:
    """Twice the text takes at most four times the work, up to `LARGEST`."""
    seconds = []
    for size in (LARGEST // 2, LARGEST):
        text = (atom * (size // len(atom.encode()) + 1))[: size // len(atom[0].encode())]
        start = time.process_time()
        work(text)
        seconds.append(time.process_time() - start)
        assert seconds[-1] < 5, (atom, seconds)
    half, whole = (second + 0.1 for second in seconds)
    assert whole < 4 * half, (atom, seconds)


@pytest.mark.parametrize("name", PATTERNS)
def test_expressions(name):
    pattern = PATTERNS[name]
    for atom in ATOMS:
        growth(lambda text: sum(1 for _ in pattern.finditer(text)), atom)


@pytest.mark.parametrize("atom", [*LONG.values(), "加v❤a_1234，", "<b>", "```", "石 桥 ", "{{name}}"])
def test_private_data_folding_and_all_rules(atom):
    growth(find_private, atom)
    growth(matching_form, atom)
    growth(lambda text: judged(("西湖", text)), atom)
    growth(lambda text: judged((text, "杭州市西部的湖泊。")), atom)


def test_malicious_terms_are_looked_for_in_linear_time():
    for atom in ("赌博", "加v", "加微信a_1234，", "赌-博❤", "真人荷官，注册送88元。"):
        growth(lambda text: judged(("通知", text)), atom)
    assert MATCHER.entries
