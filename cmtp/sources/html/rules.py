"""What stands on web pages but is no text: elements, class names, lines. Patterns are data."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_SKIPPED = (
    "script style noscript template svg math canvas iframe object embed video audio map head title nav footer aside "
    "form button select textarea input label fieldset menu dialog figcaption caption rp"
)
_BLOCKS = (
    "address article blockquote body center dd details dir div dl dt figure header hgroup hr html legend li main ol p "
    "pre search section summary table tbody td tfoot th thead tr ul h1 h2 h3 h4 h5 h6 br"
)

SKIPPED_TAGS: Final = frozenset(_SKIPPED.split())
"""Elements that are dropped with all they hold."""

BLOCK_TAGS: Final = frozenset(_BLOCKS.split())
"""Elements that begin and end a block."""

INLINE: Final = re.compile(
    r"</?(?:abbr|acronym|b|bdi|bdo|big|cite|code|col|data|del|dfn|em|font|i|img|ins|kbd|link|mark|meta|nobr|output|param|"
    r"q|s|samp|small|source|span|strike|strong|sub|time|track|tt|u|var|wbr)(?:\s[^\">]*(?:\"[^\"]*\"[^\">]*)*)?>"
)
"""Tags that change the looks of text only; taken out before the page is walked."""

_WORD: Final = (
    r"(?:top|bottom|main|site|page|global|sub|second|local|quick|user|post|article|entry|mw|left|right)?[_-]?"
    r"(?:nav(?:igation|bar|header|footer|box|menu)?\d?|menu\d?|breadcrumbs?|crumbs?|mbx|weizhi|position|side-?bar|toc\d?|"
    r"footer?|foot|copy-?right|share|sharing|bdsharebuttonbox|social|related|recommend(?:ed|ation)?s?|comments?|pinglun|"
    r"adverti[sz]ements?|ads?|adbox|advert|guanggao|banner|pagination|pager|pages|paging|prevnext|prev-?next|cookie|"
    r"popup|modal|login|register|search(?:box|bar|form)?|subscribe|newsletter|tags?|tagcloud|hot-?news|friend-?links?|"
    r"links|editsection|reference|references|reflist|catlinks|infobox|metadata|noprint|printfooter|jump-?link|"
    r"icontable|indexdiv|mediaobject|figure|figure-contents|caption|thumb|hidden|skip|indexterm|legalnotice|tools?|toolbar|byline|author)"
)
_BOILERPLATE: Final = re.compile(
    rf'\b(?:class|id|role)="(?:[^"]*\s)?{_WORD}(?:[_-]?(?:box|bar|list|menu|wrap(?:per)?|container|block|area|section|'
    r'links?|nav|right|left|top|bottom|content|fluid|inner|info|\d+))?(?:\s[^"]*)?"|'
    r'\brole="(?:navigation|banner|contentinfo|complementary|search|menu)"|\bhidden(?:=""|\s|$)|'
    r'\bstyle="[^"]*display:\s*none|\baria-hidden="true"',
    re.IGNORECASE,
)

_LINE: Final = re.compile(
    r"\s*(?:上一[篇页章节条]|下一[篇页章节条]|返回(?:顶部|首页|目录|列表)|(?:您|你)?(?:的|当前|现在)?(?:所在)?位置\s*[:：]|"
    r"责任编辑|(?:文章|信息|稿件)?来源\s*[:：]|作者\s*[:：].{0,40}$|发布(?:时间|日期|者)|更新时间|(?:点击|浏览|阅读)(?:次数|量|数)|"
    r"打印本?[页文]|关闭窗口|字体\s*[:：]|(?:分享|转发)[到至]|【(?:大|打印|关闭)|"
    r"版权所有|[©Ⓒ]|Copyright\b|All rights reserved|"
    r"(?:京|沪|粤|浙|苏|鲁|川|鄂)ICP|网站地图|加入收藏|设为首页|联系我们|关于我们|免责声明\s*$|相关(?:文章|新闻|阅读|链接)|"
    r"(?:相关(?:主题|条目|内容)|另请?参[见阅]|参见|参阅|参考|See also)\s*[:：]?\s*$|"
    r"(?:Previous|Next|Prev|Home|Up|Top)\s*$|Report a (?:bug|documentation error)|Edit this page|Back to top)",
    re.IGNORECASE,
)
MAX_LINE: Final = 80
"""Characters of the longest line that may be one of those."""

SITE: Final = re.compile(r"\s*[_|｜»]\s*|\s+[-–—·:]+\s+|——")
"""What separates a page's title from the site's name in <title>."""

NUMBER: Final = re.compile(r"^(?:(?:\d{1,3}|[A-Z])(?:\.\d{1,3}){1,5}\.?|\d{1,3}\.)\s+(?=\S)")
"""A section number before a heading, as DocBook sets it: 4.6.1. Overview."""


@lru_cache(maxsize=1 << 14)
def is_boilerplate(attributes: str) -> bool:
    """Whether an element's class, id, role or style says that it holds navigation, credits or advertisements."""
    return "=" in attributes and bool(_BOILERPLATE.search(attributes))


def is_index(attributes: str) -> bool:
    """Whether an element is an index of terms, or a picture's label, on whatever page."""
    return 'class="indexdiv"' in attributes or 'class="icontable"' in attributes


def is_boilerplate_line(text: str) -> bool:
    """Whether a block's text is a line of navigation or credits."""
    return len(text) <= MAX_LINE and bool(_LINE.match(text))
