"""The most frequent characters of modern Chinese. Text that was decoded wrongly has few of them."""

from __future__ import annotations

from typing import Final

SIMPLIFIED: Final = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去"
    "法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点"
    "正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教"
)
"""Frequent characters in simplified script, most frequent first."""

TRADITIONAL: Final = (
    "這個們來為國說時會對過發後裡種經麼學現當沒動還進樣開從實軍無長機與業將兩間問應戰頭體見產關點話給門"
)
"""The traditional forms of frequent characters, where they differ from the simplified ones."""

MARKS: Final = "，。、：；！？（）“”《》"
"""Frequent punctuation."""
