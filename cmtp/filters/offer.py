"""What makes a mention an offer, besides the listed words: a price, a bargain, a word of trade beside the goods.

Everything here reads folded text (see `fold`).
"""

from __future__ import annotations

import re
from typing import Final

from cmtp.filters.pattern import Alternative, either

PRICE_WEIGHT: Final = 0.7
"""A price for a piece, a dose, an hour (一克三百, 十粒起发, 百元一条) counts as an offer word of this weight."""
BARGAIN_WEIGHT: Final = 1.0
"""Something on top (充一百送一百, 首存百分百赠送) counts as an offer word of this weight."""
BESIDE_WEIGHT: Final = 1.2
"""Added to a term's weight beside a word of trade: 出售海洛因, 罂粟壳批发. Statutes and police say 贩卖 and 买卖."""

_NUMBER: Final = r"[0-9一二两三四五六七八九十百千万半]"
_PIECE: Final = r"(?:克|条|套|支|粒|颗|发|瓶|盒|箱|晚|夜|次|单|斤|张|板|针|包|个月|个点|小时|个钟|月|篇|千字)"
PRICES: Final = (
    Alternative(rf"[一每]{_PIECE}[0-9一二两三四五六七八九十百千万]{{1,6}}(?:元|块|起|,|$)", "一克三百元"),
    Alternative(rf"[一二两三四五六七八九十百千万0-9]{{1,6}}(?:元|块钱?|毛)(?:一|每|/)?{_PIECE}", "百元一条"),
    Alternative(rf"{_NUMBER}{{1,4}}{_PIECE}起(?:出|发|批|卖|订|售|送|步|接|走)", "十粒起发"),
    Alternative(rf"(?:只要|仅需|只需|特价){_NUMBER}{{1,6}}(?:元|块)", "只要九十九元"),
)
BARGAINS: Final = (
    Alternative(rf"[买充存投](?:值)?{_NUMBER}{{1,5}}(?:元|块)?[送赠]{_NUMBER}", "充一百送一"),
    Alternative(r"首[存充冲](?:即?[送赠]|百分之?百|[0-9一二三四五六七八九十百])", "首存百分百"),
    Alternative(r"注册(?:即|就|立)?(?:可)?[送享领得]", "注册就送"),
    Alternative(r"拒?收?无效退款", "无效退款"),
    Alternative(r"不[上中红收过成][^,]{0,4}(?:退|不收|赔)", "不中全额退"),
    Alternative(r"(?:包|全额?)(?:退|赔)", "包赔"),
    Alternative(r"先[用做看赢上打试][^,]{0,4}(?:后付|再给|后分)", "先用后付"),
)
TRADE_WORDS: Final = (
    "出售|批发|现货|供应|供货|货源|专卖|专供|直销|代购|收购|回收|高价收|低价出|急出|自用出|长期[出收供]"
    "|新到|到货|有货|包邮|出租|转让|招代理|招加盟|代开|代办|代做|代发|秒发|发货|闪送|面交|自提|验货|订购|求购"
    "|(?<![贩买拍变倒售])卖(?![淫])|技术出|一手"
)
"""出售, 批发 and so on. 卖 does not count in 贩卖, 买卖, 拍卖, 变卖, 倒卖, 售卖 and 卖淫."""
_PRICE: Final = re.compile(either(PRICES))
_BARGAIN: Final = re.compile(either(BARGAINS))
_TRADE: Final = f"(?:{TRADE_WORDS})"
_BEFORE: Final = re.compile(rf"{_TRADE}[^,]{{0,4}}$")
_AFTER: Final = re.compile(rf"[^,]{{0,4}}?{_TRADE}")
_REACH: Final = 8
"""Characters looked at on either side of a term."""


def shapes(folded: str) -> list[tuple[str, float]]:
    """The first price and the first bargain of a text, with their weights."""
    firsts = [(_PRICE.search(folded), PRICE_WEIGHT), (_BARGAIN.search(folded), BARGAIN_WEIGHT)]
    return [(match[0].strip(","), weight) for match, weight in firsts if match]


def beside_trade(folded: str, begin: int, end: int) -> bool:
    """Whether a word of trade stands beside the characters from `begin` to `end`, in the same clause."""
    if _BEFORE.search(folded, max(0, begin - _REACH), begin):
        return True
    return _AFTER.match(folded, end, min(len(folded), end + _REACH)) is not None
