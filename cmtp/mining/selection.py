"""Which pairs are worth a finetune row. Labelled pairs all are; of the others, rules leave some out, each counted.

The lists of words were made by reading rows of an instruction collection, of articles and of documentation.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.kernels.sets import common_counts
from cmtp.mining.settings import MineSettings
from cmtp.relations import relations_where
from cmtp.text.compare import fold
from cmtp.text.ngrams import shingle_sets

BIGRAM: Final = 2

SHORTEST_QUERY: Final = 4
"""Characters of a query that can name its passage."""

LONGEST_LEAD_IN: Final = 80
"""Characters up to which a passage that announces another says nothing else."""

_MATERIAL: Final = (
    r"(给定|以下|下列|下面|下述|上述|所附|所给|给出的|提供的|输入)"
    r"|(这|该|此|本)(个|句|段|首|篇|些|条|组|份)?"
    r"(句子|句话|句|段落|段话|文本|文章|文档|文字|短语|单词|数据|列表|陈述|摘录|电子邮件|故事|诗|推文|评论)"
    r"|(句子|段落|文本|文章|短文|列表|列表项)(中|里)|下一?(篇|段|句)|^.{0,8}一句话"
)
"""The query brings the text that is to be worked on: 总结给定的文本。"""

_WORKED_ON: Final = (
    r"^.{0,16}(重写|改写|改编|重新(排列|排序|组织|表述|措辞|编写|格式化|安排)|翻译|编辑|润色|校对|更正|纠正|修正|修改|"
    r"标点|替换|转换|改为|改成|变成|更改|改变|删除|去除|添加|插入|填空|填写|补全|分类|归类|排序|排列|标记|标注|检测|提取|"
    r"压缩|缩短|缩写|简化|合并|组合|造句|拼写|押韵|续写|词性)"
)
"""What is to be done with a text: 把这句话翻译成英语。"""

_COMPUTED: Final = (
    r"(计算|求|相乘|相加|相减|相除|乘积|之和|总和|平均|方程|分解|导数|积分|面积|体积|周长|百分比|概率|多少|四舍五入|公约数|"
    r"公倍数|平方|阶乘|转换)"
)
"""With a figure in the query: 将 12 和 11 相乘。"""

_WRITTEN: Final = (
    r"^(请|帮我|请帮我|为我|给我)?(写|编写|撰写|创作|创建|生成|产生|构建|构造|构思|制作|起草|设计|想出|想一个|编造|编一|造一|发明|"
    r"头脑风暴|模拟|扮演|假设|假装|想象|开发|组成|讲一?个|随机|集思广益|为.{1,20}(写|编写|撰写|创作|创建|生成|设计|想))"
)
"""A text to be invented: 写一首关于秋天的诗。 Any of many would do."""

OTHER_TASK: Final = f"(?s){_MATERIAL}|{_WORKED_ON}|{_WRITTEN}"
"""Instructions whose answer nobody searches for: the query brings the text, or asks for one to be invented."""

LEAD_IN: Final = (
    r"[：:]\s*$|^[^\n]{0,20}(本节|本章|本文|本页|本小节|本部分|本教程|下面|接下来|如下|请遵循|让我们|我们来看)[^\n]*$"
)
"""A passage that announces what it does not say: 本节将介绍创建、使用及删除预处理语句的 SQL 语法。"""

REFUSAL: Final = (
    r"^.{0,30}(抱歉|对不起|很遗憾|无法(回答|提供|完成|确定|判断|生成|访问|查看)|我不能|我没有(能力|办法|足够)|"
    r"作为(一个|一名|一款)?(AI|人工智能|语言模型|大语言模型)|请提供(更多|具体|详细))"
)
"""An answer that says it gives none."""

UNFIT: Final = ("echo", "lead_in", "refusal", "short_passage", "short_query", "other_task")
"""Why a pair gives no row, in the order of the tests."""

_QUESTIONS: Final = relations_where(lambda relation: relation.query == "question" and not relation.symmetric)


def unfit(rows: pa.Table, settings: MineSettings) -> np.ndarray:
    """Why each pair gives no finetune row: [n] int8, a place in `UNFIT`, or -1 where no rule leaves it out.

    Args:
        rows: columns ``query``, ``passage`` and ``relation``, of pairs that are not labelled.
        settings: of the recipe.
    """
    query, passage = rows["query"], rows["passage"]
    asks = pc.is_in(rows["relation"].cast(pa.string()), pa.array(_QUESTIONS)).to_numpy()
    has_figure = _matches(query, r"[0-9０-９]")
    length = pc.utf8_length(passage).to_numpy()
    tests = {
        "echo": echoes(query, passage) >= settings.max_echo,
        "lead_in": (length <= LONGEST_LEAD_IN) & _matches(passage, LEAD_IN),
        "refusal": _matches(passage, REFUSAL),
        "short_passage": length < settings.min_chars,
        "short_query": pc.utf8_length(query).to_numpy() < SHORTEST_QUERY,
        "other_task": asks & (_matches(query, OTHER_TASK) | (has_figure & _matches(query, _COMPUTED))),
    }
    reasons = np.full(rows.num_rows, -1, np.int8)
    for place, name in reversed([*enumerate(UNFIT)]):
        reasons[tests[name]] = place
    return reasons


def echoes(queries: pa.ChunkedArray, passages: pa.ChunkedArray) -> np.ndarray:
    """Share of each passage's character bigrams that stand in its query: [n] float64, 0 for a passage without any.

    ``echoes(["北京的天气"], ["北京的雨"])`` is 2/3: 北京 and 京的 of 北京, 京的, 的雨.
    """
    n = len(queries)
    texts = pa.concat_arrays([chunk.cast(pa.large_string()) for side in (queries, passages) for chunk in side.chunks])
    if n == 0:
        return np.zeros(0)
    shingles, starts = shingle_sets(fold(texts), BIGRAM)
    rows = np.arange(n)
    common = common_counts(shingles, starts, rows, rows + n)
    return common / np.maximum(np.diff(starts)[n:], 1)


def _matches(texts: pa.ChunkedArray, pattern: str) -> np.ndarray:
    return pc.match_substring_regex(texts, pattern).to_numpy()  # type: ignore[no-any-return]
