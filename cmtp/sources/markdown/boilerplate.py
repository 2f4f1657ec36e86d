"""What stands in Markdown files but is no text: credits, licences, navigation, captions, notes to contributors.

Patterns are data: each was seen in real collections (named beside it) and matches whole lines or blocks.
"""

from __future__ import annotations

import re
from typing import Final

from cmtp.sources.markdown.blocks import CODE, HEADING, ITEM, RULE, TEXT, MarkdownBlock
from cmtp.sources.markdown.inline import is_link_row, is_only_image, is_only_link, join, without_links
from cmtp.text.clean import without_lead_in

HEAD_BLOCKS: Final = 16
"""Blocks at the beginning among which credits are looked for."""
TAIL_BLOCKS: Final = 40
"""Blocks at the end among which the credits begin."""

_DECORATION: Final = r"^[\s>*_\-+•#]*"

# LCTT, gold-miner: a label with a colon, the rest of the line is a name or a link.
_CREDIT: Final = re.compile(
    _DECORATION
    + r"(?:\[?(?:原文|译文|中文|英文|文章|本文)?\s*(?:地址|链接|永久链接|作者|标题|出处|来源|文档地址)|原文|译文出自|"
    r"译文来源|作者|译者|翻译者?|校对者?|审校者?|编译|编辑|选题|状态|题图|封面|图片来源|转载|"
    r"Translat\w+|Review\w+|Event Organizer|via|Author|(?:Image|Photo|Cover)?\s*Credits?|Image|Photo|"
    r"图片?来?源?自?|稿件来自|本次组织者|参加译者|组队翻译|分配方式)\]?[*_]*\s*[：:]",
    re.IGNORECASE,
)
_NOTICE: Final = re.compile(
    _DECORATION + r"(?:translat(?:ing|ed) by\b|翻译中|正在翻译|校对中|"
    r"本文(?:已获|已授权|由.{0,80}(?:原创|编译|翻译|荣誉推出|授权))|"
    r"(?:转载|未经)请?(?:注明|许可|授权|允许)|版权(?:所有|归)|All rights reserved|"
    r"如果(?:您|你)?(?:发现译文|遵循本指南的制作流程)|\[?掘金翻译计划|欢迎(?:关注|加入).{0,30}(?:公众号|微信|翻译计划)|"
    r"原文\s*\[|选自|题图(?:来自|：)|Image (?:by|credits?|courtesy)\b|Photo by\b)",
    re.IGNORECASE,
)
# LCTT: everything from here on is credits.
_TAIL: Final = re.compile(
    _DECORATION
    + r"(?:via\s*[:：]|(?:文章|原文|本文)?(?:作|译)者简介\s*[:：]?|关于作者\s*[:：]?$|About the author\s*[:：]?|"
    r"本文由.{0,80}(?:原创|编译|翻译|荣誉推出))",
    re.IGNORECASE,
)
_NAMES: Final = re.compile(_DECORATION + r"(?:作者|译者)\s*[:：]\s*\[")  # so do files begin, too
# LCTT, gold-miner: links to other articles.
_SEE_ALSO: Final = re.compile(_DECORATION + r"(?:建议|推荐|延伸|相关|扩展|拓展|另请|参考)阅读\s*[*_]*\s*[：:]")
_LABEL: Final = re.compile(r".{0,16}[:：]\**$")
_NAVIGATION_HEADING: Final = re.compile(
    r"(?:[\d.、一二三四五六七八九十]+\s*)?(?:(?:文章|内容|本文)?目\s*录|table of contents|contents|toc|导航|索引|"
    r"(?:相关|延伸|扩展|拓展|推荐|参考)(?:阅读|资料|文献|链接|文章|资源)|"
    r"系列文章(?:索引|目录|列表)?|文章(?:索引|列表)|references?|further reading|see also)\s*[:：]?",
    re.IGNORECASE,
)
# What stands right below an image: emphasised, numbered, or a short line that is no sentence.
_CAPTION: Final = re.compile(
    r"\s*(?:[*_][^*_].*[*_]|<(?:small|center|em|figcaption)\b.*|图\s*[\d一二三四五六七八九十][^。]{0,120}|(?:Fig|Figure)\b.{0,120}|"
    r"[^。！？；，：!?;:|]{1,60}[^。！？；，：!?;:,.|…]|[“\"「][^“”\"「」。]{1,40}[”\"」]|"
    r"[（(]?(?:截图|图片?|题图|动图|照片|插图|摄影|示意图|图表)[^。！？：:]{0,6}[：:][^。]{1,100}|[^。]{0,40}(?:题图|图片)(?:来自|来源).{0,60}|"
    r"\[[^\]]{1,80}\]\(https?://[^)\s]*(?:unsplash|flickr|pexels|500px|pixabay|wikimedia|giphy|dribbble|shutterstock)[^)]*\)"
    r".{0,60})\s*$"
)
_SMALL: Final = re.compile(r"\s*<small>[^<]{1,60}[:：][^<]{1,120}</small>\s*$")  # LCTT: who took the picture
_THANKS: Final = re.compile(r"[\s>*_]*感谢[\s、,，和与及以]*[.。!！]?[*_]*\s*$")  # gold-miner: 感谢 [name](link)。

MAX_CREDIT_CHARS: Final = 400
"""Characters of the longest line of credits."""
MAX_CAPTION_CHARS: Final = 120
"""Characters of the longest caption that is recognised by a label such as 图片来源：."""
MAX_CODE_LINES: Final = 2
"""Code of more lines than this is left out of the text, in Markdown and HTML."""
MAX_CODE_CHARS: Final = 120
"""So is code of more characters than this."""


def strip(blocks: list[MarkdownBlock]) -> list[MarkdownBlock]:
    """The blocks that are text, in their order."""
    blocks = _without_tail(blocks)
    kept: list[MarkdownBlock] = []
    after_image = False
    for index, block in enumerate(blocks):
        if block.kind == RULE:
            continue
        if block.kind == CODE and not _is_short(block):
            _drop_lead_in(kept)
            continue
        if block.kind in (TEXT, ITEM):
            near_an_end = index < HEAD_BLOCKS or index >= len(blocks) - 6
            lines = block.lines
            if near_an_end or len(lines) > 1 or "阅读" in lines[0] or "<small>" in lines[0]:
                lines = block.lines = [line for line in lines if not _is_credit(line, near_an_end)]
                if not lines:
                    continue
            if block.kind == TEXT and lines[0].lstrip(" *_")[:1] == "[" and is_link_row("\n".join(lines)):
                after_image = False
                continue
            if ("![" in lines[0] or "<img" in lines[0] or lines[0].strip() == "[") and is_only_image(join(lines)):
                after_image = True
                _drop_lead_in(kept)
                continue
            if block.kind == TEXT and _below_image(lines, after_image) and _is_caption(lines[-1]):
                after_image = False
                continue
        after_image = False
        kept.append(block)
    return _without_link_lists(kept)


def _below_image(lines: list[str], after_image: bool) -> bool:
    """Whether a block's last line stands right below an image: in the block before, or in its own lines."""
    if len(lines) == 1:
        return after_image
    return any("![" in line or "<img" in line for line in lines[:-1]) and is_only_image(join(lines[:-1]))


def is_navigation(heading: str) -> bool:
    """Whether what stands under a heading is a table of contents or a list of other texts."""
    return bool(_NAVIGATION_HEADING.fullmatch(heading.strip()))


def _is_credit(line: str, near_an_end: bool) -> bool:
    if ("阅读" in line and _SEE_ALSO.match(line)) or ("<small>" in line and _SMALL.match(line)):
        return True
    if near_an_end and "感谢" in line:
        rest, links = without_links(line)
        if links and _THANKS.match(rest):
            return True
    return near_an_end and (bool(_NOTICE.match(line)) or (len(line) < MAX_CREDIT_CHARS and bool(_CREDIT.match(line))))


def _is_caption(line: str) -> bool:
    return bool(_CAPTION.match(line) or (len(line) < MAX_CAPTION_CHARS and _CREDIT.match(line)))


def _drop_lead_in(kept: list[MarkdownBlock]) -> None:
    """Drop what only leads to the code or image that is left out (运行下面的命令：)."""
    if kept and kept[-1].kind in (TEXT, ITEM) and kept[-1].lines:
        line = without_lead_in(kept[-1].lines[-1].rstrip())
        if line:
            kept[-1].lines[-1] = line
        else:
            kept[-1].lines.pop()
        if not kept[-1].lines:
            kept.pop()


def _is_short(block: MarkdownBlock) -> bool:
    lines = [line for line in block.lines if line.strip()]
    return 0 < len(lines) <= MAX_CODE_LINES and sum(map(len, lines)) <= MAX_CODE_CHARS


def _without_tail(blocks: list[MarkdownBlock]) -> list[MarkdownBlock]:
    """Without the credits at the end: from the first block on that looks like them and has some text before it."""
    texts = (index for index, block in enumerate(blocks) if block.kind == TEXT and block.lines and _is_text(block))
    first_text = next(texts, len(blocks))
    for index in range(max(first_text + 1, len(blocks) - TAIL_BLOCKS), len(blocks)):
        block = blocks[index]
        if block.kind in (TEXT, ITEM, HEADING) and block.lines:
            first = block.lines[0]
            if _TAIL.match(first) or (2 * index >= len(blocks) and _NAMES.match(first)):
                return blocks[:index]
    return blocks


def _is_text(block: MarkdownBlock) -> bool:
    return not all(_is_credit(line, near_an_end=True) or is_only_image(line) for line in block.lines)


def _without_link_lists(blocks: list[MarkdownBlock]) -> list[MarkdownBlock]:
    """Without runs of at least two list items that are nothing but links, and the label before them (参考资料：)."""
    kept: list[MarkdownBlock] = []
    run: list[MarkdownBlock] = []
    for block in [*blocks, MarkdownBlock(RULE, [])]:
        if block.kind == ITEM and len(block.lines) == 1 and is_only_link(block.lines[0]):
            run.append(block)
            continue
        labelled = bool(run and kept and kept[-1].kind == TEXT and _LABEL.match(kept[-1].lines[-1].strip()))
        if labelled and len(kept[-1].lines) == 1:
            kept.pop()
        elif len(run) == 1:
            kept.append(run[0])
        run = []
        kept.append(block)
    kept.pop()
    return kept
