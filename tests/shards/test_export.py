import json

import pytest

from cmtp.errors import UsageError
from cmtp.shards.export import export, flagembedding, sentence_transformers
from tests.shards.test_stage import make

ROW = {
    "pair_id": "a" * 32,
    "query": "绿萝怎么浇水",
    "pos": ["土干了再浇。"],
    "neg": ["多肉少浇水。", "月季要修剪。"],
    "pos_scores": [0.8],
    "neg_scores": [0.5, 0.4],
    "neg_ranks": [2, -1],
    "neg_kinds": ["mined", "random"],
    "instruction": "为这个句子生成表示以用于检索相关文章：",
}


def test_flagembedding_keeps_the_lists_and_the_instruction_apart():
    assert list(flagembedding(ROW)) == [
        {
            "query": "绿萝怎么浇水",
            "pos": ["土干了再浇。"],
            "neg": ["多肉少浇水。", "月季要修剪。"],
            "pos_scores": [0.8],
            "neg_scores": [0.5, 0.4],
            "prompt": "为这个句子生成表示以用于检索相关文章：",
        }
    ]


def test_sentence_transformers_gets_triplets():
    lines = list(sentence_transformers(ROW))
    assert [line["negative"] for line in lines] == ROW["neg"]
    assert {line["anchor"] for line in lines} == {"为这个句子生成表示以用于检索相关文章：绿萝怎么浇水"}
    assert {line["positive"] for line in lines} == {"土干了再浇。"}
    assert list(sentence_transformers(ROW | {"neg": []})) == []


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("jsonl", {"pair_id", "query", "passage", "relation", "source", "doc_id", "origin", "similarity"}),
        ("flagembedding", {"query", "pos", "neg"}),
        ("sentence-transformers", {"anchor", "positive"}),
    ],
)
def test_pairs_are_written_line_by_line(tmp_path, form, names):
    make(tmp_path / "shards")
    counts = export(str(tmp_path / "shards"), str(tmp_path / "out"), form, "pairs")
    lines = (tmp_path / "out" / "pairs-00000.jsonl").read_text(encoding="utf-8").splitlines()
    assert counts == {"rows": 140, "lines": 140}
    assert [set(json.loads(line)) for line in lines] == [names] * 140


def test_what_is_not_there_is_named(tmp_path):
    make(tmp_path / "shards")
    with pytest.raises(UsageError, match=r"--table finetune.*pairs"):
        export(str(tmp_path / "shards"), str(tmp_path / "out"), "jsonl", "finetune")
    with pytest.raises(UsageError, match=r"--format csv.*flagembedding"):
        export(str(tmp_path / "shards"), str(tmp_path / "out"), "csv", "pairs")
