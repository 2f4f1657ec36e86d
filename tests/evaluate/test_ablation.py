"""Comparisons of arms: ways to mine, C-Pack's stages, a plan from its YAML to its table."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cmtp.errors import UsageError
from cmtp.evaluate.ablation import run_plan
from cmtp.evaluate.cpack import ARMS, FINETUNED, PRETRAINED, WITHOUT_INSTRUCTION, train_arms
from cmtp.evaluate.negatives import Finetuning, arm_rows, compare_negatives, with_random
from cmtp.evaluate.probe import ProbeSettings
from cmtp.shards.held_out import Split, retrieval_task
from cmtp.train.batches import TrainRow
from cmtp.train.settings import load_train_settings
from tests.train.shards import write_build

SMALL = ProbeSettings(seeds=2, steps=30, batch=32, dimension=32, vocabulary=200, share=0.2)
TRAINING = [
    "model={vocabulary: 300, layers: 1, hidden: 32, heads: 2, intermediate: 64, positions: 64}",
    "instruction=检索：",
    "pretrain={batch: 16, max_length: 48, max_steps: 2}",
    "weak={batch: 16, max_steps: 3}",
    "finetune={batch: 8, max_steps: 2}",
    "eval={share: 0.3}",
]


def with_bad_negatives(folder):
    """The build of `write_build`, with each row's positive in other words as its negatives."""
    shards = write_build(folder)
    file = folder / "finetune" / "part-00000.parquet"
    table = pq.read_table(file)
    bad = [[row["pos"][0] + mark for mark in "。！？"] for row in table.to_pylist()]
    at = table.schema.get_field_index("neg")
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array(bad, pa.list_(pa.string()))), file)
    return shards


def test_arms_differ_by_their_negatives_alone(tmp_path):
    """The same build twice gives the same numbers; other negatives, read or drawn, give others."""
    good, bad = write_build(tmp_path / "good"), with_bad_negatives(tmp_path / "bad")
    settings = Finetuning(steps=30, batch=16, negatives=2, learning_rate=0.05)
    text = compare_negatives({"mined": good, "false": bad, "random": "random", "again": good}, SMALL, settings)
    rows = {line.split()[0]: line for line in text.splitlines()}
    assert list(rows)[2:] == ["before", "mined", "false", "random", "again"]
    assert len({rows[name].split()[1] for name in ("mined", "false", "random")}) == 3
    assert "+0.0000 [+0.0000, +0.0000], not resolved" in rows["again"]


def test_random_negatives_are_of_the_source_and_not_the_positive(tmp_path):
    shards = write_build(tmp_path / "b")
    task = retrieval_task(shards, Split(0.2, 1), 100, 1000)
    rows = arm_rows(shards, task, SMALL, Finetuning(negatives=3))
    drawn = with_random(rows, 3, seed=0)
    assert drawn.keys() == rows.keys()
    positives = {group: {row.pos[0] for row in rows.values() if row.group == group} for group in
                 {row.group for row in rows.values()}}  # fmt: skip
    for key, row in drawn.items():
        assert len(set(row.neg)) == 3
        assert set(row.neg) <= positives[row.group] - set(row.pos)
        assert row.pos == rows[key].pos
    assert drawn == with_random(rows, 3, seed=0)
    assert drawn != with_random(rows, 3, seed=1)
    assert with_random({("a", "b"): TrainRow("a", ("b",))}, 1, 0) == {}


def test_arms_of_different_pairs_are_refused(tmp_path):
    builds = {"a": write_build(tmp_path / "a", seed=0), "b": write_build(tmp_path / "b", seed=1)}
    with pytest.raises(UsageError, match="0 finetune rows in common"):
        compare_negatives(builds, SMALL, Finetuning(batch=8, negatives=2))


def test_cpack_arms_differ_in_what_they_are_named_for(tmp_path):
    shards = write_build(tmp_path / "b")
    settings = load_train_settings("nano", None, [*TRAINING, "seed=0", "finetune.instruction=true"])
    task = retrieval_task(shards, Split(0.3, 1), 100, 1000)
    scores = train_arms(shards, tmp_path / "models", settings, task)
    assert tuple(scores) == ARMS
    assert all(score.ndcg.shape == (len(task.queries),) for score in scores.values())
    found = {path.parents[2].name for path in (tmp_path / "models").glob("*/.work/*/facts.json")}
    assert found == {"without-pretrain", "pretrained", "without-instruction", "finetuned"}
    names = {path.name.split("-")[0] for path in (tmp_path / "models" / "without-pretrain" / ".work").iterdir()}
    assert "pretrain" not in names
    assert not np.array_equal(scores[FINETUNED].ndcg, scores[PRETRAINED].ndcg) or not np.array_equal(
        scores[WITHOUT_INSTRUCTION].ndcg, scores[PRETRAINED].ndcg
    )


def test_a_plan_with_an_unknown_part_is_refused(tmp_path):
    with pytest.raises(UsageError, match="the plan has typo; known are arms, negatives"):
        next(run_plan({"probe": {}, "arms": {}, "typo": 1}, "raw", tmp_path))


def test_the_sample_plan_has_known_parts_and_settings():
    import yaml

    from cmtp.evaluate.ablation import PARTS, expand
    from cmtp.recipe import load_recipe

    with open("pipelines/ablation.yaml", encoding="utf-8") as file:
        plan = yaml.safe_load(file)
    assert set(plan) == PARTS
    ways = plan["negatives"].pop("arms")
    for overrides in [*plan["arms"].values(), *plan["planted"]["arms"].values(), *ways.values()]:
        if overrides != "random":
            load_recipe(None, [one for override in overrides for one in expand(override)])
    ProbeSettings(**plan["probe"])
    Finetuning(**plan["negatives"])
    load_train_settings(plan["stages"]["preset"], None, plan["stages"]["set"])
