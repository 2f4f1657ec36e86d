import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cmtp.errors import CmtpError, UsageError
from cmtp.schema import FINETUNE, PAIRS
from cmtp.shards.export import export_table, flagembedding, sentence_transformers
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
        ("jsonl", set(PAIRS.names)),
        ("flagembedding", {"query", "pos", "neg"}),
        ("sentence-transformers", {"anchor", "positive"}),
    ],
)
def test_pairs_are_written_line_by_line(tmp_path, form, names):
    make(tmp_path / "shards")
    done = export_table(str(tmp_path / "shards"), str(tmp_path / "out"), form, "pairs")
    lines = (tmp_path / "out" / "pairs-00000.jsonl").read_text(encoding="utf-8").splitlines()
    assert (done.rows, done.lines, done.without_negatives) == (140, 140, 0)
    assert ["--train_group_size 1" in note for note in done.notes] == [True] * (form == "flagembedding")
    assert [set(json.loads(line)) for line in lines] == [names] * 140


def finetune(folder, *negatives):
    """A build whose finetune table has a row for each of the given lists of negatives."""
    rest = {"task": "retrieval", "relation": "question_answer", "source": "garden"}
    rows = [
        ROW
        | rest
        | {"neg": neg, "neg_scores": [0.5] * len(neg), "neg_ranks": [2] * len(neg), "neg_kinds": ["mined"] * len(neg)}
        for neg in negatives
    ]
    (folder / "finetune").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=FINETUNE), folder / "finetune" / "part-00000.parquet")
    tables = {"finetune": {"rows": len(rows), "files": [{"file": "part-00000.parquet"}]}}
    (folder / "manifest.json").write_text(json.dumps({"tables": tables}))
    return str(folder)


@pytest.mark.parametrize(
    ("form", "lines", "said"),
    [
        ("flagembedding", 1, "2 of 3 rows have no negatives: left out"),
        ("sentence-transformers", 2, "2 of 3 rows have no negatives: left out"),
        ("jsonl", 3, "2 of 3 rows have no negatives: written with an empty neg"),
    ],
)
def test_rows_without_negatives_are_counted(tmp_path, form, lines, said):
    shards = finetune(tmp_path / "shards", [], ["多肉少浇水。", "月季要修剪。"], [])
    done = export_table(shards, str(tmp_path / "out"), form, "finetune")
    written = (tmp_path / "out" / "finetune-00000.jsonl").read_text(encoding="utf-8").splitlines()
    assert (done.rows, done.lines, done.without_negatives, done.notes) == (3, lines, 2, [said])
    assert len(written) == lines
    if form == "flagembedding":
        assert all(json.loads(line)["neg"] for line in written)  # its loader divides by their number


@pytest.mark.parametrize("form", ["flagembedding", "sentence-transformers"])
def test_an_export_without_a_line_is_an_error_and_writes_nothing(tmp_path, form):
    shards = finetune(tmp_path / "shards", [], [])
    with pytest.raises(CmtpError, match=r"none of the 2 rows of finetune has negatives.*cmtp mine"):
        export_table(shards, str(tmp_path / "out"), form, "finetune")
    assert not (tmp_path / "out").exists()
    with pytest.raises(CmtpError, match=r"finetune of .* has no rows"):
        export_table(finetune(tmp_path / "none"), str(tmp_path / "out"), "jsonl", "finetune")


def test_what_is_not_there_is_named(tmp_path):
    make(tmp_path / "shards")
    with pytest.raises(UsageError, match=r"--table finetune.*pairs"):
        export_table(str(tmp_path / "shards"), str(tmp_path / "out"), "jsonl", "finetune")
    with pytest.raises(UsageError, match=r"--format csv.*flagembedding"):
        export_table(str(tmp_path / "shards"), str(tmp_path / "out"), "csv", "pairs")
