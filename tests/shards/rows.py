"""Rows to make tables of."""

import pyarrow as pa
import xxhash

from cmtp.schema import PAIR, REJECTS

TITLES = [
    "炒青菜的火候",
    "电动车充电安全",
    "租房合同要点",
    "长跑前的热身",
    "绿萝怎么浇水",
    "面试前的准备",
    "端午的来历",
]


def an_id(name):
    return xxhash.xxh3_128_hexdigest(name.encode())


def pairs(n, start=0, source="菜谱", relation="title_body", passage_chars=60):
    rows = []
    for i in range(start, start + n):
        title = f"{TITLES[i % len(TITLES)]}（{i}）"
        rows.append(
            {
                "pair_id": an_id(f"{source}/{i}"),
                "query": title,
                "passage": (f"{title}：第{i}篇的正文。" * passage_chars)[:passage_chars],
                "relation": relation,
                "source": source,
                "doc_id": an_id(f"{source}/doc/{i // 2}"),
                "origin": f"{source}/{i // 2}.md#1",
                "position": i % 2,
                "similarity": (i % 100) / 100,
            }
        )
    return pa.Table.from_pylist(rows, schema=PAIR)


def rejects(table, stage, reason, kept_id=None):
    rows = [
        {name: row.get(name) for name in REJECTS.names}
        | {"stage": stage, "reason": reason, "evidence": "{}", "score": 0.5, "kept_id": kept_id}
        for row in table.to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=REJECTS)
