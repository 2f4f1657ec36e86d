"""Collections whose passages, queries and judgements lie in several files, each in its published form."""

import json

import pytest

from cmtp.sources.collection import COLLECTIONS, find_collections
from cmtp.sources.discover import RawFile
from cmtp.sources.listing import listing
from cmtp.sources.mapping import SourceMapping
from tests.extract.test_stage import run

Q, R = "西湖在哪里？", "长城有多长？"
A, B, C = "西湖在杭州城的西面，三面环山。", "长城东起山海关，西至嘉峪关。", "故宫是明清两代的皇家宫殿。"

CASES = {
    "T2Ranking": {
        "data/collection.tsv": f"pid\ttext\n0\t{A}\n1\t{B}\n2\t{C}\n",
        "data/queries.train.tsv": f"qid\ttext\n7\t{Q}\n8\t{R}\n",
        "data/qrels.train.tsv": "qid\t-\tpid\trel\n" + "7\t0\t0\t3\n7\t0\t2\t0\n8\t0\t1\t2\n8\t0\t2\t1\n",
        "data/qrels.retrieval.train.tsv": "qid\tpid\n7\t0\n8\t1\n",  # what the grades say, too
    },
    "mMARCO-zh": {
        "google/collections/chinese_collection.tsv": f"0\t{A}\n1\t{B}\n2\t{C}\n",
        "google/queries/train/chinese_queries.train.tsv": f"7\t{Q}\n8\t{R}\n",
        "qrels.train.tsv": "7\t0\t0\t1\n8\t0\t1\t1\n",
    },
    "cMedQA v2": {
        "answer.csv": f'ans_id,question_id,content\n0,7,"{A}"\n1,8,{B}\n2,9,"{C}"\n',
        "question.csv": f"question_id,content\n7,{Q}\n8,{R}\n",
        "train_candidates.txt": "question_id,pos_ans_id,neg_ans_id\n7,0,2\n7,0,1\n8,1,2\n",
    },
    "Multi-CPR": {
        "ecom/corpus.tsv": f"0\t{A[:2]}\t{A[2:]}\n1\t{B}\t\n2\t{C}\t\n",  # title and text
        "ecom/train.query.txt": f"7\t{Q}\n8\t{R}\n",
        "ecom/qrels.train.tsv": "7\t0\t0\t1\n8\t0\t1\t1\n",
    },
    "BEIR's form": {
        "corpus.jsonl": "".join(
            json.dumps({"_id": str(n), "title": "", "text": text}) + "\n" for n, text in enumerate((A, B, C))
        ),
        "queries.jsonl": f'{{"_id": "7", "text": "{Q}", "metadata": {{}}}}\n{{"_id": "8", "text": "{R}"}}\n',
        "qrels/train.tsv": "query-id\tcorpus-id\tscore\n7\t0\t1\n8\t1\t1\n",
    },
}


def build(tmp_path, files, folder="set/", **settings):
    for path, text in files.items():
        path = tmp_path / "raw" / folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    kept, rejected, *rest = run(tmp_path / "raw", tmp_path / "out", **settings)
    return kept, rejected, rest


@pytest.mark.parametrize("folder", ["set/", ""])
@pytest.mark.parametrize("name", CASES)
def test_published_form(tmp_path, name, folder):
    kept, rejected, (_, facts, tasks) = build(tmp_path, CASES[name], folder)
    assert [(row["relation"], row["query"], row["passage"].replace(" ", "")) for row in kept] == [
        ("query_document", Q, A),
        ("query_document", R, B),
    ]
    found = [(row["reason"], row["query"], row["passage"]) for row in rejected]
    expected = {
        "T2Ranking": [("labelled_negative", Q, C), ("labelled_uncertain", R, C)],
        "cMedQA v2": [("labelled_negative", Q, B), ("labelled_negative", Q, C), ("labelled_negative", R, C)],
    }
    assert found == expected.get(name, [])
    assert kept[0]["origin"].rpartition("#")[0] in [fact["path"] for fact in facts]
    assert {fact["path"] for fact in facts} == {folder + path for path in CASES[name]}
    assert tasks == 1


def test_all_are_listed():
    assert set(COLLECTIONS) == set(CASES)
    assert all(name in listing() for name in COLLECTIONS)


def test_what_is_missing_is_a_row(tmp_path):
    files = CASES["Multi-CPR"] | {"ecom/qrels.train.tsv": "7\t0\t0\t1\n8\t0\t99\t1\n77\t0\t1\t1\nbroken\n"}
    kept, rejected, _ = build(tmp_path, files)
    assert [row["passage"].replace(" ", "") for row in kept] == [A]
    shown = [(row["reason"], row["origin"].rpartition("/")[2], row["query"], row["evidence"]) for row in rejected]
    assert [row[:3] for row in shown] == [
        ("bad_row", "qrels.train.tsv#4", None),
        ("missing_text", "qrels.train.tsv#3", None),
        ("missing_text", "qrels.train.tsv#2", R),
    ]
    assert json.loads(shown[2][3]) == {"missing": "passage", "id": "99"}


def test_negatives_beyond_the_setting_are_counted(tmp_path):
    kept, rejected, _ = build(tmp_path, CASES["cMedQA v2"], max_negatives=1)
    assert len(kept) == 2
    assert [row["reason"] for row in rejected] == ["labelled_negative", "labelled_negative", "over_max_negatives"]
    assert json.loads(rejected[2]["evidence"]) == {"negatives": 2, "max_negatives": 1}


def test_queries_of_one_passage_share_its_document(tmp_path):
    files = CASES["Multi-CPR"] | {"ecom/qrels.train.tsv": "7\t0\t0\t1\n8\t0\t0\t1\n"}
    kept, *_ = build(tmp_path, files)
    assert kept[0]["doc_id"] == kept[1]["doc_id"]
    assert kept[0]["pair_id"] != kept[1]["pair_id"]


def test_which_files_belong_together():
    paths = [
        "a/corpus.tsv",
        "a/qrels.tsv",
        "a/queries.tsv",
        "a/other.jsonl",
        "b/qrels.tsv",
        "c/question.csv",
        "d/answer.csv",
    ]
    files = [RawFile(path, path, "s", 1, 0) for path in paths]
    found = find_collections(files, [])
    assert [[file.path for file, _ in one] for one in found] == [["a/qrels.tsv", "a/queries.tsv", "a/corpus.tsv"]]
    mapping = SourceMapping(files="a/corpus.tsv", relation="title_body", query="1", passage="2")
    assert find_collections(files, [mapping]) == []  # what the recipe says, wins
