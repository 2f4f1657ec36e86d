"""The stage with the bundled encoder."""

import json
from dataclasses import replace

import pytest

from cmtp.encoders.registry import ENCODERS
from cmtp.encoders.static_zh import CARD, StaticZh
from cmtp.engine.figures import plain_values
from cmtp.engine.store import Store
from cmtp.schema import PAIR, REJECTS
from tests.similarity.fakes import run_similarity, text_pairs, write_parts

PAIRS = [
    ("绿萝怎么浇水", "绿萝喜欢湿润的环境，盆土表面干了就浇透，冬天少浇一些。"),
    ("电动车充电要注意什么", "不要在楼道里给电动车充电，用原装充电器，充满后及时拔掉。"),
    ("面试前怎样准备", "先了解公司和岗位，把简历上的项目经历再理一遍，准备几个问题。"),
    ("感冒了要不要吃药", "普通感冒多能自愈，注意休息、多喝水，发烧难受时再吃退烧药。"),
]
SWAPPED = [(query, PAIRS[(i + 1) % len(PAIRS)][1]) for i, (query, _) in enumerate(PAIRS)]


def run(tmp_path, texts, *settings):
    store = Store(str(tmp_path))
    done = run_similarity(store, write_parts(store, text_pairs(texts), [len(texts)]), settings)
    return done, store.read_table(done.kept[0]), store.read_table(done.rejects[0])


def test_mismatched_passages_are_rejected_with_their_score(tmp_path):
    done, kept, rejected = run(tmp_path, PAIRS + SWAPPED)
    assert kept["query"].to_pylist() == [query for query, _ in PAIRS]
    assert rejected.num_rows == len(SWAPPED)
    assert kept.schema.equals(PAIR)
    assert rejected.schema.equals(REJECTS)
    evidence = json.loads(rejected["evidence"][0].as_py())
    assert evidence["encoder"] == "static-zh"
    assert evidence["similarity"] == pytest.approx(rejected["score"][0].as_py())
    assert evidence["score"] == evidence["similarity"]
    assert evidence["similarity"] < evidence["threshold"] == CARD.fallback_cut  # too few pairs to calibrate
    assert done.ledger.reasons() == {"low_similarity": len(SWAPPED)}


def test_the_threshold_of_the_recipe_wins(tmp_path):
    _, kept, _ = run(tmp_path, PAIRS, "threshold=-1.0")
    assert kept.num_rows == len(PAIRS)
    _, kept, rejected = run(tmp_path, PAIRS, "threshold=1.0")
    assert kept.num_rows == 0
    assert rejected.num_rows == len(PAIRS)


def test_a_large_enough_group_is_calibrated_and_the_figures_say_how(tmp_path):
    done, kept, rejected = run(tmp_path, PAIRS + SWAPPED, "min_sample=4", "max_loss=0.5")
    found = plain_values(done.figures)["calibration"]["生活/title_body"]
    assert found["pairs"] == 8
    assert found["shuffled_pass"] < 0.5
    assert sum(found["true"].values()) == 8
    assert rejected["score"].to_numpy().max() < found["threshold"]
    assert set(kept["query"].to_pylist()) <= {query for query, _ in PAIRS}


def test_the_sample_has_the_lowest_keys_whatever_the_partitions(tmp_path):
    """One partition or three: the same cuts."""
    many = text_pairs([(f"{query}（{i}）", f"{passage}第{i}次。") for i in range(6) for query, passage in PAIRS])
    found = []
    for name, sizes in (("one", [24]), ("three", [5, 1, 18])):
        store = Store(str(tmp_path / name))
        done = run_similarity(store, write_parts(store, many, sizes), ["min_sample=4", "sample=12"])
        found.append(plain_values(done.figures))
    assert found[0] == found[1]
    assert found[0]["calibration"]["生活/title_body"]["pairs"] == 12


def test_where_no_cut_is_known_all_pairs_are_kept_and_the_build_says_so(monkeypatch, tmp_path):
    """An encoder whose cosines nobody has measured, and too few pairs to measure them."""
    monkeypatch.setitem(ENCODERS._items, "static-zh", replace(CARD, fallback_cut=None))
    done, kept, rejected = run(tmp_path, PAIRS + SWAPPED)
    assert (kept.num_rows, rejected.num_rows) == (8, 0)
    assert plain_values(done.figures)["not_cut"] == {"生活/title_body": 8}
    assert "kept 8 pairs without a cut" in done.stage.warning(done)
    assert "similarity.threshold" in done.stage.warning(done)
    done, kept, _ = run(tmp_path, PAIRS + SWAPPED, "threshold=0.08")
    assert kept.num_rows == 4
    assert "not_cut" not in done.figures


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
