"""A small build written by hand: three topics, with words that a model can learn to separate."""

import json
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from cmtp.schema import FINETUNE, PAIRS, PRETRAIN

TOPICS = {
    "kitchen": "番茄鸡蛋炒饭酱油葱姜蒜盐糖醋锅火候蒸煮炖煎",
    "law": "法院合同租赁违约诉讼证据判决赔偿条款义务权利",
    "garden": "花盆浇水施肥阳光修剪土壤病虫害发芽移栽通风",
}


def hexid(text):
    return xxhash.xxh3_128_hexdigest(text.encode())


def write_build(folder, documents=40, seed=0):
    """pairs/, finetune/ and pretrain/ of `documents` per topic, rows in random order."""
    random = Random(seed)
    pairs, finetune, pretrain = [], [], []
    for source, words in TOPICS.items():
        for n in range(documents):
            key = "".join(random.sample(words, 4))
            query, passage = (
                f"怎么处理{key[:3]}？",
                f"{key}的办法：" + "".join(random.choices(words, k=40)) + f"第{n}条。",
            )
            origin = f"{source}/a.jsonl#{n + 1}"
            common = {"pair_id": hexid(origin + "p"), "query": query, "relation": "question_answer", "source": source}
            pairs.append(common | {"passage": passage, "doc_id": hexid(origin), "origin": origin, "similarity": 0.5})
            pretrain.append({"doc_id": hexid(origin), "text": f"{passage}\n{passage[::-1]}", "source": source})
    random.shuffle(pairs)
    for row in pairs[::4]:
        others = [other["passage"] for other in pairs if other["source"] == row["source"] and other is not row][:3]
        finetune.append(
            {name: row[name] for name in ("pair_id", "query", "relation", "source")}
            | {"pos": [row["passage"]], "neg": others, "pos_scores": [0.8], "neg_scores": [0.5, 0.4, 0.3]}
            | {"neg_ranks": [2, 3, 4], "neg_kinds": ["mined"] * 3, "instruction": "检索：", "task": "retrieval"}
        )
    random.shuffle(pretrain)
    for name, rows, schema in (
        ("pairs", pairs, PAIRS),
        ("finetune", finetune, FINETUNE),
        ("pretrain", pretrain, PRETRAIN),
    ):
        (folder / name).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / name / "part-00000.parquet")
    (folder / "manifest.json").write_text(json.dumps({"made": "by hand", "seed": seed}))
    return str(folder)
