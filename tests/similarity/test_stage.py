import json
from dataclasses import replace

import pytest

from cmtp.encoders.static_zh import CARD, StaticZh
from cmtp.engine.executor import SerialExecutor
from cmtp.engine.plan import run_stage
from cmtp.engine.store import Store
from cmtp.errors import UsageError
from cmtp.recipe_file import load_recipe
from cmtp.schema import PAIR, REJECTS
from cmtp.similarity.encode import EncodeStage
from cmtp.similarity.stage import SimilarityStage
from tests.rows import Silent, pair, pair_table

PAIRS = [
    ("绿萝怎么浇水", "绿萝喜欢湿润的环境，盆土表面干了就浇透，冬天少浇一些。"),
    ("电动车充电要注意什么", "不要在楼道里给电动车充电，用原装充电器，充满后及时拔掉。"),
    ("面试前怎样准备", "先了解公司和岗位，把简历上的项目经历再理一遍，准备几个问题。"),
    ("感冒了要不要吃药", "普通感冒多能自愈，注意休息、多喝水，发烧难受时再吃退烧药。"),
]


def table(pairs):
    return pair_table(
        pair(query, passage, source="生活", doc=f"d{i}", name=f"{i}", origin=f"{i}.md#1")
        for i, (query, passage) in enumerate(pairs)
    )


def run(tmp_path, pairs, **settings):
    store = Store(str(tmp_path))
    store.write_table("in.parquet", table(pairs))
    recipe = load_recipe(None, [f"similarity.{name}={value}" for name, value in settings.items()])
    encoder = {"encoder": recipe.similarity.encoder}
    encode = run_stage(EncodeStage(), store, ["in.parquet"], encoder, "x", SerialExecutor(), Silent())
    given = recipe.stage_settings("similarity") | {"encoded": encode.folder}
    done = run_stage(SimilarityStage(), store, encode.kept, given, encode.fingerprint, SerialExecutor(), Silent())
    return done, store.read_table(done.kept[0]), store.read_table(done.rejects[0])


def facts(done):
    return next(one.facts for one in done.receipts if one.name == "cut-00000")


def test_mismatched_passages_are_rejected_with_their_score(tmp_path):
    swapped = [(q, PAIRS[(i + 1) % len(PAIRS)][1]) for i, (q, _) in enumerate(PAIRS)]
    done, kept, rejected = run(tmp_path, PAIRS + swapped)
    assert kept["query"].to_pylist() == [q for q, _ in PAIRS]
    assert rejected.num_rows == len(swapped)
    assert kept.schema.equals(PAIR)
    assert rejected.schema.equals(REJECTS)
    evidence = json.loads(rejected["evidence"][0].as_py())
    assert evidence["encoder"] == "static-zh"
    assert evidence["similarity"] == pytest.approx(rejected["score"][0].as_py())
    assert evidence["score"] == evidence["similarity"]
    assert evidence["similarity"] < evidence["threshold"] == CARD.fallback_cut  # too few pairs to calibrate
    assert done.ledger.reasons() == {"low_similarity": len(swapped)}


def test_the_threshold_of_the_recipe_wins(tmp_path):
    _, kept, _ = run(tmp_path, PAIRS, threshold=-1.0)
    assert kept.num_rows == len(PAIRS)
    _, kept, rejected = run(tmp_path, PAIRS, threshold=1.0)
    assert kept.num_rows == 0
    assert rejected.num_rows == len(PAIRS)


def test_a_large_enough_group_is_calibrated_and_the_facts_say_how(tmp_path):
    swapped = [(q, PAIRS[(i + 1) % len(PAIRS)][1]) for i, (q, _) in enumerate(PAIRS)]
    done, kept, rejected = run(tmp_path, PAIRS + swapped, min_sample=4, max_loss=0.5)
    found = facts(done)["calibration"]["生活/title_body"]
    assert found["pairs"] == 8
    assert found["shuffled_pass"] <= 0.25
    assert sum(found["true"].values()) == 8
    assert rejected["score"].to_numpy().max() < found["threshold"]
    assert set(kept["query"].to_pylist()) <= {q for q, _ in PAIRS}


def test_the_sample_has_the_lowest_keys_whatever_the_cut_into_partitions(tmp_path):
    """One partition or three: the same cuts."""
    many = [(f"{q}（{i}）", f"{p}第{i}次。") for i in range(6) for q, p in PAIRS]
    whole = table(many)
    found = []
    for name, cuts in (("one", [24]), ("three", [5, 1, 18])):
        store = Store(str(tmp_path / name))
        parts, start = [], 0
        for i, size in enumerate(cuts):
            parts.append(f"{i}.parquet")
            store.write_table(parts[-1], whole.slice(start, size))
            start += size
        encode = run_stage(EncodeStage(), store, parts, {"encoder": "static-zh"}, "x", SerialExecutor(), Silent())
        given = load_recipe(None, ["similarity.min_sample=4", "similarity.sample=12"]).stage_settings("similarity")
        given["encoded"] = encode.folder
        done = run_stage(SimilarityStage(), store, parts, given, encode.fingerprint, SerialExecutor(), Silent())
        found.append(facts(done))
    assert found[0] == found[1]
    assert found[0]["calibration"]["生活/title_body"]["pairs"] == 12


def test_an_encoder_without_a_known_cut_asks_for_one(monkeypatch, tmp_path):
    monkeypatch.setattr("cmtp.similarity.cuts.encoder_card", lambda name: replace(CARD, fallback_cut=None))
    with pytest.raises(UsageError, match=r"similarity\.threshold"):
        run(tmp_path, PAIRS)


def test_each_distinct_text_is_encoded_once(tmp_path, monkeypatch):
    seen = []
    original = StaticZh.encode
    monkeypatch.setattr(
        StaticZh, "encode", lambda self, texts, side: seen.append(len(texts)) or original(self, texts, side)
    )
    run(tmp_path, [*PAIRS, *PAIRS, (PAIRS[0][0], PAIRS[1][1])])
    assert seen == [len(PAIRS), len(PAIRS)]


def test_an_empty_partition(tmp_path):
    _, kept, rejected = run(tmp_path, [])
    assert kept.num_rows == rejected.num_rows == 0
