"""Pairs to make tables of."""

from tests.rows import pair, pair_table

TITLES = [
    "炒青菜的火候",
    "电动车充电安全",
    "租房合同要点",
    "长跑前的热身",
    "绿萝怎么浇水",
    "面试前的准备",
    "端午的来历",
]


def pairs(n, start=0, source="菜谱", relation="title_body", passage_chars=60):
    rows = []
    for i in range(start, start + n):
        title = f"{TITLES[i % len(TITLES)]}（{i}）"
        passage = (f"{title}：第{i}篇的正文。" * passage_chars)[:passage_chars]
        doc, origin = f"{source}/doc/{i // 2}", f"{source}/{i // 2}.md#1"
        places = {"origin": origin, "position": i % 2, "similarity": (i % 100) / 100}
        rows.append(pair(title, passage, source, doc, relation, f"{source}/{i}", **places))
    return pair_table(rows)
