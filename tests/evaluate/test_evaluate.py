"""Measures by hand, held-out documents, copies, baselines, local files, the probe."""

import json
import math
import subprocess
import sys
from random import Random

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cmtp.errors import UsageError
from cmtp.evaluate.ablation import expand, plant
from cmtp.evaluate.baselines import score_bm25, score_embeddings, score_static_zh, terms
from cmtp.evaluate.command import evaluate
from cmtp.evaluate.heldout import Retrieval, read_pairs, retrieval_task
from cmtp.evaluate.measures import bootstrap, interval_text, ndcg, recall, top_k
from cmtp.evaluate.overlap import Copies
from cmtp.evaluate.probe import Probe, compare
from cmtp.shards.order import is_held_out
from tests.train.shards import hexid, write_build


def test_ndcg_by_hand():
    ranked = np.array([[3, 1, 2], [3, 1, 2], [0, 1, 2]])
    values = ndcg(ranked, [{1}, {3, 2}, {9}], k=3)
    assert values == pytest.approx([1 / math.log2(3), (1 + 0.5) / (1 + 1 / math.log2(3)), 0])
    assert recall(ranked, [{1}, {3, 2}, {9}], 2).tolist() == [1, 0.5, 0]


def test_equal_scores_keep_the_order_of_the_rows():
    assert top_k(lambda a, b: np.zeros((b - a, 4)), 3, 2).tolist() == [[0, 1]] * 3


def test_bootstrap_resolves_a_difference_and_does_not_invent_one():
    random = np.random.default_rng(0)
    base = random.random((3, 200))
    better = bootstrap(base + 0.1 + random.normal(0, 0.1, base.shape), base)
    assert better.resolved
    assert better.low < 0.1 < better.high
    noise = bootstrap(base + random.normal(0, 0.1, base.shape), base)
    assert not noise.resolved
    assert "not resolved" in interval_text(noise)
    with pytest.raises(ValueError, match="shapes"):
        bootstrap(base, base[:2])


def test_held_out_share_and_seed():
    ids = pa.array([hexid(str(n)) for n in range(20_000)])
    first = is_held_out(ids, 0.1, 1)
    assert abs(first.mean() - 0.1) < 0.01
    assert not is_held_out(ids, 0.05, 1)[~first].any()  # a smaller share is part of a larger one
    assert abs((first & is_held_out(ids, 0.1, 2)).mean() - 0.01) < 0.005


def test_retrieval_task_holds_whole_documents_out(tmp_path):
    shards = write_build(tmp_path / "b")
    task = retrieval_task(shards, 0.3, 1, 1000, 60)
    held = read_pairs(shards, ["query", "passage"], 0.3, 1, held_out=True)
    assert set(task.queries) == set(held["query"])
    assert len(task.passages) == 60
    assert set(task.passages[: task.held_out]) == set(held["passage"])
    for query, right in zip(task.queries, task.relevant, strict=True):
        answers = set(held.filter(held["query"] == query)["passage"])
        assert {task.passages[row] for row in right} == answers
    with pytest.raises(UsageError, match="too few"):
        retrieval_task(shards, 1e-9, 1, 10, 10)
    with pytest.raises(UsageError, match="is it the output folder"):
        retrieval_task(str(tmp_path), 0.1, 1, 10, 10)


TASK = Retrieval(
    ["番茄炒蛋怎么做", "租房合同违约怎么办"],
    ["鸡蛋打散，番茄切块，炒蛋先下锅。", "天气晴朗。", "租房合同写明违约金，违约的一方要付。"],
    [{0}, {2}],
    3,
    ["a", "b"],
)


def test_baselines_find_the_obvious():
    assert terms("番茄 炒") == ["番茄", "茄炒"]
    assert terms("茄") == ["茄"]
    assert score_bm25(TASK).ndcg.tolist() == [1, 1]
    assert score_static_zh(TASK).ndcg.tolist() == [1, 1]
    assert score_embeddings("x", TASK, np.eye(3)[[1, 2]], np.eye(3)).ndcg.tolist() == pytest.approx(
        [1 / math.log2(3), 1]
    )


def test_bm25_by_hand():
    task = Retrieval(["甲乙"], ["甲乙丙", "甲乙甲乙甲乙", "丁戊"], [{1}], 3, ["a"])
    lengths, mean = [2, 5, 1], 8 / 3
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    expected = [
        idf * n * 2.2 / (n + 1.2 * (0.25 + 0.75 * length / mean)) for n, length in zip([1, 3], lengths, strict=False)
    ]
    best = int(np.argmax(expected))
    assert score_bm25(Retrieval(task.queries, task.passages, [{best}], 3, ["a"])).ndcg.tolist() == [1]


def test_copies_are_recognised():
    text = "公司应当建立健全财务会计制度，依法编制财务会计报告，并接受审计机关的监督。"
    other = "春天来了，院子里的桃树开了满树的花，孩子们在树下追逐，老人坐在门口晒太阳。"
    copies = Copies([text])
    found = copies.found([text, text.replace("，", " ") + "第三条", other, text[:15] + other, "", "公司"])
    assert found.tolist() == [True, True, False, False, False, False]
    assert not Copies([]).found([text])[0]


def test_eval_wants_something_to_score_on():
    with pytest.raises(UsageError, match="nothing to score on"):
        evaluate("model", [], None, 0.1, None)


ASKED = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往"
ANSWERED = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉"


def write_two_languages(folder, *, shuffled):
    """A build whose queries and passages say the same in different characters: only pairs can teach which is which."""
    shards = write_build(folder, 100)
    file = folder / "pairs" / "part-00000.parquet"
    table = pq.read_table(file)
    random = Random(5)
    chosen = [random.sample(range(len(ASKED)), 3) for _ in range(table.num_rows)]
    columns = {
        "query": ["，".join(ASKED[i] for i in row) for row in chosen],
        "passage": [
            "，".join(ANSWERED[i] for i in row) + "。" for row in (chosen[1:] + chosen[:1] if shuffled else chosen)
        ],
    }
    for name, texts in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(name), pa.array(texts))
    pq.write_table(table, file)
    return shards


def test_probe_tells_good_pairs_from_shuffled_ones(tmp_path):
    good = write_two_languages(tmp_path / "good", shuffled=False)
    bad = write_two_languages(tmp_path / "bad", shuffled=True)
    settings = Probe(seeds=2, steps=40, batch=64, dimension=32, vocabulary=100, share=0.2)
    text = compare([good, bad], settings)
    rows = {line.split()[0]: line for line in text.splitlines()}
    assert float(rows["good"].split()[3]) > 0.7
    assert float(rows["bad"].split()[3]) < 0.4
    assert "not resolved" not in rows["bad"]
    assert text == compare([good, bad], settings)


def test_planting_exchanges_the_share_within_the_source(tmp_path):
    shards = write_build(tmp_path / "b")
    mapping = plant(shards, tmp_path / "raw", 0.25)
    before = pl.read_parquet(f"{shards}/pairs/*.parquet").with_columns(pl.col("source").cast(pl.String))
    assert {entry["files"] for entry in mapping} == {
        f"{name}/question_answer.jsonl" for name in ("kitchen", "law", "garden")
    }
    for entry in mapping:
        rows = [
            json.loads(line) for line in (tmp_path / "raw" / entry["files"]).read_text(encoding="utf-8").splitlines()
        ]
        mine = before.filter(pl.col("source") == entry["files"].split("/")[0])
        right = set(zip(mine["query"], mine["passage"], strict=True))
        assert sorted(row["passage"] for row in rows) == sorted(mine["passage"])
        wrong = [row for row in rows if (row["query"], row["passage"]) not in right]
        assert len(wrong) == sum(row["planted"] for row in rows) == 10


def test_filter_off_switches_every_rule_off():
    from cmtp.recipe_file import load_recipe

    settings = load_recipe(None, expand("filter=off")).filter
    assert len(settings.disable) > 5
    assert (settings.malicious, settings.private, settings.language) == (False, "keep", "any")
    assert expand("dedup.near=off") == ["dedup.near=off"]


def test_the_command_line_needs_no_torch():
    """Importing the commands imports neither torch nor transformers, and without them train says what to install."""
    code = (
        "import sys\n"
        "import cmtp.cli\n"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules), 'imported'\n"
        "sys.modules['torch'] = None\n"
        "import importlib.util as util\n"
        "old = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'torch' else old(name, *rest)\n"
        "sys.argv = ['cmtp', 'train', 'nowhere', '--out', 'nothing']\n"
        "cmtp.cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert "torch not installed: pip install 'cmtp[train]'" in done.stderr
