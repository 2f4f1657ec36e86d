"""Local files in their four forms, and mteb's measures on them, checked by hand."""

import gzip
import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cmtp.errors import CmtpError, UsageError
from cmtp.evaluate.command import evaluate_model, untrained
from cmtp.evaluate.local import Labelled, Pairs, Ranked, read_local
from cmtp.evaluate.tasks import BM25, TextEncoder, kinds, score_local
from tests.train.shards import write_build

AXES = "甲乙丙丁"


def embed(texts, asked):
    """One axis per first character; the text 混 lies between the first two."""
    rows = [[0.8, 0.6, 0, 0] if text[0] == "混" else [float(text[0] == axis) for axis in AXES] for text in texts]
    return np.array(rows)


def lines(path, *rows):
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def scores(path, *models):
    data = read_local(path)
    return {kind: values for kind, _, values in score_local(data, models or [TextEncoder("x", embed)])}


def test_forms_of_sentence_pairs(tmp_path):
    (tmp_path / "sts.txt").write_text("甲\t甲\t5\n甲\t乙\t1\n乙\t乙\t4\n", encoding="utf-8")
    (tmp_path / "pair.tsv").write_text(
        "id\tsentence1\tsentence2\tlabel\n1\t甲\t甲\t1\n2\t甲\t乙\t0\n", encoding="utf-8"
    )
    (tmp_path / "bom.csv").write_text('\ufeffsentence1,sentence2,label\n"甲,",甲,0\n乙,乙,1\n', encoding="utf-8")
    rows = [{"sentence1": "甲", "sentence2": "甲", "label": label} for label in ("entailment", "-", "contradiction")]
    lines(tmp_path / "nli.json", *rows)
    pairs = {path.name: read_local(path) for path in tmp_path.iterdir()}
    assert pairs["sts.txt"].labels.tolist() == [5, 1, 4]
    assert kinds(pairs["sts.txt"]) == ["STS"]
    assert kinds(pairs["pair.tsv"]) == ["PairClassification"]
    assert (pairs["pair.tsv"].left, pairs["pair.tsv"].right) == (["甲", "甲"], ["甲", "乙"])
    assert pairs["bom.csv"].left == ["甲,", "乙"]
    assert pairs["nli.json"].labels.tolist() == [1, 0]


def test_any_table_that_a_build_reads_is_read(tmp_path):
    """Encodings, compressions, Parquet, with a header and without, and `score` for a grade."""
    text = "sentence1\tsentence2\tscore\n花呗怎么还款\t花呗如何还款\t4.5\n花呗怎么还款\t天气预报\t0\n"
    bare = text.partition("\n")[2]
    (tmp_path / "gb.tsv").write_bytes(text.encode("gb18030"))
    (tmp_path / "bare.csv").write_bytes(bare.replace("\t", ",").encode("gb18030"))
    (tmp_path / "id.txt").write_text("".join(f"dev\t{line}\n" for line in bare.splitlines()), encoding="utf-8")
    (tmp_path / "packed.tsv.gz").write_bytes(gzip.compress(text.encode()))
    rows = [{"sentence1": "花呗怎么还款", "sentence2": other, "label": grade} for other, grade in
            (("花呗如何还款", 4.5), ("天气预报", 0.0))]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "table.parquet")
    (tmp_path / "array.json").write_text(json.dumps(rows), encoding="utf-8")
    for path in tmp_path.iterdir():
        pairs = read_local(path)
        assert (pairs.left, pairs.right) == (["花呗怎么还款"] * 2, ["花呗如何还款", "天气预报"]), path.name
        assert pairs.labels.tolist() == [4.5, 0]


def test_a_folder_to_search_in_may_be_compressed(tmp_path):
    folder = write_search(tmp_path / "beir")
    before = read_local(folder)
    for name in ("corpus.jsonl", "qrels.tsv"):
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
        (folder / name).unlink()
    assert read_local(folder) == before
    (folder / "queries.jsonl").unlink()
    with pytest.raises(UsageError, match=r"no queries\.jsonl; a folder to search in has"):
        read_local(folder)


def test_sts_and_pair_classification_by_hand(tmp_path):
    (tmp_path / "sts.txt").write_text("甲\t甲\t5\n甲\t乙\t1\n乙\t乙\t4\n", encoding="utf-8")
    assert scores(tmp_path / "sts.txt")["STS"] == [pytest.approx(math.sqrt(3) / 2)]
    # cosines 1, .8, 0 of labels 1, 0, 1: precision 1 at recall 1/2, 2/3 at recall 1
    (tmp_path / "pair.txt").write_text("甲\t甲\t1\n甲\t混\t0\n甲\t丙\t1\n", encoding="utf-8")
    assert scores(tmp_path / "pair.txt")["PairClassification"] == [pytest.approx((1 + 2 / 3) / 2)]


def test_reranking_by_hand(tmp_path):
    """Query 1 finds its positive first, query 2 second, behind 混; a row without negatives has no order."""
    rows = [
        {"query": "甲问", "pos": "甲答", "neg": ["混", "丙答"]},
        {"query": "乙问", "pos": ["丁答", "乙答"], "neg": ["混"]},
        {"query": "丙问", "pos": ["丙答"], "neg": []},
    ]
    data = read_local(lines(tmp_path / "r.jsonl", *rows))
    assert data == Ranked("r.jsonl", ["甲问", "乙问"], [["甲答"], ["丁答", "乙答"]], [["混", "丙答"], ["混"]])
    # query 2: 乙答 at 1, 混 (.6) at 2, 丁答 at 3: (1 + 2/3) / 2
    assert scores(tmp_path / "r.jsonl")["Reranking"] == [pytest.approx((1 + (1 + 2 / 3) / 2) / 2, abs=1e-4)]


def test_no_scores_no_gain_from_the_order_of_the_file(tmp_path):
    lines(tmp_path / "r.jsonl", {"query": "甲", "pos": ["乙"], "neg": ["丙", "丁"]})
    assert scores(tmp_path / "r.jsonl")["Reranking"][0] < 1


def write_search(folder):
    folder.mkdir()
    lines(folder / "corpus.jsonl", *({"_id": f"d{i}", "text": f"{axis}乙甲说明"} for i, axis in enumerate("丙甲乙")))
    lines(
        folder / "queries.jsonl",
        {"_id": "q1", "text": "甲乙问"},
        {"_id": "q2", "text": "混"},
        {"_id": "q3", "text": "丁"},
    )
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\nq3\td0\t0\n", encoding="utf-8")
    return folder


def test_retrieval_by_hand_with_bm25_beside_it(tmp_path):
    folder = write_search(tmp_path / "beir")
    assert list(read_local(folder).queries) == ["q1", "q2"]  # q3 has nothing relevant
    found = scores(folder, TextEncoder("x", embed), BM25())["Retrieval"]
    assert found[0] == pytest.approx((1 + 1 / math.log2(3)) / 2, abs=1e-4)
    assert found[1] == 0.5  # 甲乙 is in the passage of q1 alone; q2 is one character and finds nothing


def test_classification_and_clustering(tmp_path):
    rows = [{"text": f"{AXES[i % 3]}{i}", "label": AXES[i % 3]} for i in range(120)]
    found = scores(lines(tmp_path / "c.jsonl", *rows))
    assert found["Classification"] == [1.0]
    assert found["Clustering"] == [pytest.approx(1.0)]

    def blind(texts, asked):
        return np.random.default_rng(0).normal(size=(len(texts), 4))

    assert scores(tmp_path / "c.jsonl", TextEncoder("blind", blind))["Classification"][0] < 0.6
    assert scores(tmp_path / "c.jsonl", BM25()) == {"Classification": [None], "Clustering": [None]}


def test_only_queries_that_search_get_the_instruction(tmp_path):
    asked_for = []

    def spy(texts, asked):
        asked_for.extend((text, asked) for text in texts)
        return embed(texts, asked)

    (tmp_path / "sts.txt").write_text("甲\t甲\t5\n甲\t乙\t1\n", encoding="utf-8")
    scores(tmp_path / "sts.txt", TextEncoder("x", spy))
    assert not any(asked for _, asked in asked_for)
    asked_for.clear()
    scores(write_search(tmp_path / "beir"), TextEncoder("x", spy))
    assert {text for text, asked in asked_for if asked} == {"甲乙问", "混"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "甲\t乙\n", "2 fields"),
        ("a.txt", "甲\t乙\t好\n", "label '好'"),
        ("a.txt", "甲\t乙\t1\n", "1 different"),
        ("a.txt", "", "empty_file"),
        ("a.jsonl", '{"query": "甲"}', "fields query; needed are"),
        ("a.jsonl", '{"query": "甲", "pos": [], "neg": []}', "none of 1 rows has both"),
        ("a.jsonl", '{"query": "甲", "pos": [3], "neg": []}', "pos is not a list of texts"),
        ("a.jsonl", '{"text": null, "label": 1}', "text is None"),
        ("a.jsonl", "{", "row 1: bad_json"),
    ],
)
def test_broken_files_are_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        read_local(tmp_path / name)


def test_a_judgement_of_an_unknown_passage_is_refused(tmp_path):
    folder = write_search(tmp_path / "beir")
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td9\t1\n", encoding="utf-8")
    with pytest.raises(UsageError, match="row 1: q1 or d9 is in neither"):
        read_local(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A BERT of one layer with a vocabulary of the sample rows."""
    from cmtp.shards.held_out import Split
    from cmtp.train.settings import load_train_settings
    from cmtp.train.shards import Corpus
    from cmtp.train.stages import open_stage_model, start_model

    shape = "model={vocabulary: 300, layers: 1, hidden: 32, heads: 2, intermediate: 64, positions: 64}"
    settings = load_train_settings("nano", None, [shape])
    folder = tmp_path_factory.mktemp("model")
    shards = write_build(folder / "shards")
    start_model(Corpus(shards, Split(0.1, 1)), settings, None, folder / "start")
    open_stage_model(folder / "start", settings).save(str(folder / "model"), create_model_card=False)
    return folder / "model", shards


def test_the_table_has_the_model_and_the_rows_beside_it(model, tmp_path):
    folder, shards = model
    path = lines(tmp_path / "r.jsonl", {"query": "番茄", "pos": ["番茄炒蛋"], "neg": ["法院判决", "浇水施肥"]})
    text = evaluate_model(str(folder), files=[path], shards=shards, share=0.3)
    assert "not C-MTEB" in text
    rows = {line.split()[0]: line for line in text.splitlines()}
    assert {"BM25", "static-zh", "model", "untrained"} <= rows.keys()
    assert rows["local"].split()[-4:] == ["model", "untrained", "static-zh", "BM25"]
    assert all(0 <= float(value) <= 1 for value in rows["r.jsonl"].split()[-4:])


def test_untrained_has_other_weights_of_the_same_shape(model):
    from sentence_transformers import SentenceTransformer

    trained = SentenceTransformer(str(model[0]), device="cpu")
    before = trained.encode("番茄")
    fresh = untrained(trained)
    assert fresh.encode("番茄").shape == before.shape
    assert not np.allclose(fresh.encode("番茄"), before, atol=0.01)
    assert np.array_equal(trained.encode("番茄"), before)
    assert np.array_equal(untrained(trained).encode("番茄"), fresh.encode("番茄"))


def test_no_model_there_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "sts.txt").write_text("甲\t甲\t5\n甲\t乙\t1\n", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be opened as a model"):
        evaluate_model(str(tmp_path / "empty"), files=[tmp_path / "sts.txt"])


def test_an_unknown_benchmark_is_refused(model):
    with pytest.raises(UsageError, match="mteb has no such benchmark"):
        evaluate_model(str(model[0]), benchmark="MTEB(nowhere, v9)")


def test_a_benchmark_of_the_hub_is_scored_task_by_task(monkeypatch):
    """With the hub replaced by tasks in memory; and a task whose data cannot be fetched says so."""
    from types import SimpleNamespace

    import mteb

    from cmtp.evaluate.hub import run_benchmark
    from cmtp.evaluate.tasks import make_task

    pairs = Pairs("sts", ["甲", "甲", "乙"], ["甲", "乙", "乙"], np.array([5.0, 1, 4]))
    ranked = Ranked("rerank", ["甲问"], [["甲答"]], [["丙答"]])
    tasks = [make_task(pairs, "STS"), make_task(ranked, "Reranking")]
    monkeypatch.setattr(mteb, "get_benchmark", lambda name: SimpleNamespace(tasks=tasks))
    found = list(run_benchmark([TextEncoder("x", embed), BM25()], "B"))
    assert [(name, measure) for name, measure, _ in found] == [("sts", "cosine_spearman"), ("rerank", "map_at_1000")]
    assert found[0][2] == [pytest.approx(math.sqrt(3) / 2), None]
    assert found[1][2][0] == 1.0
    gone = make_task(Labelled("gone", ["甲", "乙"], ["a", "b"]), "Clustering")
    monkeypatch.setattr(gone, "evaluate", lambda *_, **__: (_ for _ in ()).throw(ConnectionError("no network")))
    tasks[:] = [gone]
    with pytest.raises(CmtpError, match="gone: the data cannot be fetched"):
        list(run_benchmark([TextEncoder("x", embed)], "B"))
