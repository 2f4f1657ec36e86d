"""Copies, the probe, planting, the command line."""

import json
import subprocess
import sys
from random import Random

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cmtp.errors import UsageError
from cmtp.evaluate.ablation import expand, plant
from cmtp.evaluate.command import evaluate_model
from cmtp.evaluate.overlap import Copies
from cmtp.evaluate.probe import ProbeSettings, compare_builds
from tests.train.shards import write_build


def test_copies_are_recognised():
    text = "公司应当建立健全财务会计制度，依法编制财务会计报告，并接受审计机关的监督。"
    other = "春天来了，院子里的桃树开了满树的花，孩子们在树下追逐，老人坐在门口晒太阳。"
    copies = Copies([text])
    found = copies.copied([text, text.replace("，", " ") + "第三条", other, text[:15] + other, "", "公司"])
    assert found.tolist() == [True, True, False, False, False, False]
    assert not Copies([]).copied([text])[0]


def test_eval_wants_something_to_score_on():
    with pytest.raises(UsageError, match="nothing to score on"):
        evaluate_model("model")


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
    settings = ProbeSettings(seeds=2, steps=40, batch=64, dimension=32, vocabulary=100, share=0.2)
    text = compare_builds([good, bad], settings)
    rows = {line.split()[0]: line for line in text.splitlines()}
    assert float(rows["good"].split()[3]) > 0.7
    assert float(rows["bad"].split()[3]) < 0.4
    assert "not resolved" not in rows["bad"]
    assert text == compare_builds([good, bad], settings)


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
    from cmtp.recipe import load_recipe

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
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "torch not installed: pip install 'cmtp[train]'" in done.stderr
