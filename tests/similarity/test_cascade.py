"""The cascade through its stages, with two encoders that count what they are given."""

import json
from collections import Counter

import numpy as np
import pytest

from cmtp.engine.executor import SerialExecutor
from cmtp.engine.plan import run_stage
from cmtp.engine.store import Store
from cmtp.errors import UsageError
from cmtp.planning import stage_settings, stages_until
from cmtp.recipe_file import load_recipe
from cmtp.shards.manifest import merge_facts
from cmtp.similarity.encode import EncodeStage
from cmtp.similarity.stage import SimilarityStage
from tests.similarity.fakes import CHEAP, DEAR, Fake, fake_pairs
from tests.similarity.test_stage import Silent

VECTORS = ".work/vectors-x"
BASE = (f"encoder={DEAR}", f"cascade={CHEAP}", "sample=400", "min_sample=100", "threshold=0.3")


@pytest.fixture
def encoders(monkeypatch):
    made = {name: Fake(name) for name in (CHEAP, DEAR)}
    for module in ("encode", "vectors"):
        monkeypatch.setattr(f"cmtp.similarity.{module}.load_encoder", made.__getitem__)
    monkeypatch.setattr("cmtp.encoders.hub.hub_revision", lambda name: f"commit of {name}")
    return made


def recipe_of(*settings):
    return load_recipe(None, [f"similarity.{one}" for one in (*BASE, *settings)])


def run(store, parts, recipe, executor=None):
    """The encode and similarity stages, as a build runs them."""
    executor = executor or SerialExecutor()
    settings = stage_settings(recipe, "encode", False, "", VECTORS, {})
    encoded = run_stage(EncodeStage(), store, parts, settings, "x", executor, Silent())
    settings = stage_settings(recipe, "similarity", False, encoded.folder, VECTORS, {})
    return run_stage(SimilarityStage(), store, parts, settings, encoded.fingerprint, executor, Silent())


def write(store, table, cuts):
    parts, start = [], 0
    for i, size in enumerate(cuts):
        parts.append(f"in-{i}.parquet")
        store.write_table(parts[-1], table.slice(start, size))
        start += size
    return parts


def verdicts(store, done):
    """pair_id → whether it was kept, and the evidence otherwise."""
    found = {}
    for path in done.kept:
        rows = store.read_table(path)
        found |= dict.fromkeys(rows["pair_id"].to_pylist(), True)
    for path in done.rejects:
        rows = store.read_table(path)
        found |= dict(zip(rows["pair_id"].to_pylist(), map(json.loads, rows["evidence"].to_pylist()), strict=True))
    return found


def test_it_decides_as_the_expensive_encoder_does_and_spares_it_most_pairs(tmp_path, encoders):
    store, table = Store(str(tmp_path)), fake_pairs(3000)
    done = run(store, write(store, table, [3000]), recipe_of())
    found = verdicts(store, done)
    dear = np.array([float(text.split()[2]) for text in table["passage"].to_pylist()])
    kept = np.array([found[one] is True for one in table["pair_id"].to_pylist()])
    agree = np.mean(kept == (dear >= 0.3))
    assert agree >= 0.99
    passages = {text for side, text in encoders[DEAR].seen if side == "passage"}
    assert 400 < len(passages) < 1500  # the sample, and a band
    facts = merge_facts(done.receipts)["cascade"]
    assert facts["encoder"] == DEAR
    assert facts["weights"] == "hash of tests/dear"
    assert facts["agreement"] >= 0.99
    assert facts["pairs_decided"] == {DEAR: len(passages), CHEAP: 3000 - len(passages)}
    band = facts["bands"]["甲/title_body"]
    assert band["low"] < band["high"]
    assert facts["in_band"] == band["share"]


def test_evidence_names_the_encoder_that_decided(tmp_path, encoders):
    store, table = Store(str(tmp_path)), fake_pairs(3000)
    done = run(store, write(store, table, [3000]), recipe_of())
    rejected = {key: one for key, one in verdicts(store, done).items() if one is not True}
    texts = dict(zip(table["pair_id"].to_pylist(), table["passage"].to_pylist(), strict=True))
    assert {one["encoder"] for one in rejected.values()} == {CHEAP, DEAR}
    band = merge_facts(done.receipts)["cascade"]["bands"]["甲/title_body"]
    seen = {text for side, text in encoders[DEAR].seen if side == "passage"}
    for key, one in rejected.items():
        cheap, dear = map(float, texts[key].split()[1:3])
        assert one["similarity"] == pytest.approx(cheap, abs=1e-3)  # of the encoder that saw all pairs, in every row
        assert one["score"] < one["threshold"]
        assert (texts[key] in seen) == (one["encoder"] == DEAR)
        if one["encoder"] == DEAR:
            assert one["score"] == pytest.approx(dear, abs=1e-3)
            assert one["threshold"] == pytest.approx(0.3)
        else:
            assert one["threshold"] == pytest.approx(band["low"], abs=1e-5)
    for path in done.kept:
        kept = store.read_table(path)
        cheap = [float(text.split()[1]) for text in kept["passage"].to_pylist()]
        np.testing.assert_allclose(kept["similarity"].to_numpy(), cheap, atol=1e-3)


def test_the_calibrated_cut_is_the_expensive_encoders(tmp_path, encoders):
    store, table = Store(str(tmp_path)), fake_pairs(2000)
    done = run(store, write(store, table, [2000]), recipe_of("threshold=null", "max_loss=0.5"))
    facts = merge_facts(done.receipts)
    found = facts["calibration"]["甲/title_body"]
    assert found["pairs"] == 400
    assert found["auc"] > 0.95
    rejected = [one for one in verdicts(store, done).values() if one is not True and one["encoder"] == DEAR]
    assert {one["threshold"] for one in rejected} == {found["threshold"]}


def test_partitions_make_no_difference(tmp_path, encoders):
    table = fake_pairs(1500)
    found = []
    for name, cuts in (("one", [1500]), ("four", [0, 700, 1, 799])):
        store = Store(str(tmp_path / name))
        done = run(store, write(store, table, cuts), recipe_of("threshold=null"))
        found.append((verdicts(store, done), merge_facts(done.receipts)))
    assert found[0] == found[1]


class Falters(SerialExecutor):
    """Dies after some tasks."""

    def __init__(self, tasks):
        self.left = tasks

    def run(self, tasks, store):
        for receipt in super().run(tasks, store):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            yield receipt


def test_stopped_anywhere_it_goes_on_and_encodes_nothing_twice(tmp_path, encoders):
    table = fake_pairs(900)
    whole = Store(str(tmp_path / "whole"))
    done = run(whole, write(whole, table, [400, 500]), recipe_of())
    expected = verdicts(whole, done)
    tasks = len(done.receipts)
    for encoder in encoders.values():
        encoder.seen.clear()
    store = Store(str(tmp_path / "stopped"))
    parts = write(store, table, [400, 500])
    stops = 0
    for _ in range(2 * tasks):
        try:
            done = run(store, parts, recipe_of(), Falters(1))
            break
        except KeyboardInterrupt:
            stops += 1
    assert stops > 4
    assert verdicts(store, done) == expected
    assert max(Counter(encoders[DEAR].seen).values()) == 1


def test_another_threshold_encodes_only_what_was_never_seen(tmp_path, encoders):
    store, table = Store(str(tmp_path)), fake_pairs(2000)
    parts = write(store, table, [2000])
    run(store, parts, recipe_of("agreement=0.9"))
    cheap, before = len(encoders[CHEAP].seen), len(encoders[DEAR].seen)
    run(store, parts, recipe_of("agreement=0.85"))  # a narrower band of the same sample
    assert len(encoders[DEAR].seen) == before
    done = run(store, parts, recipe_of("agreement=0.999"))
    assert max(Counter(encoders[DEAR].seen).values()) == 1
    assert len(encoders[DEAR].seen) > before
    assert len(encoders[CHEAP].seen) == cheap
    fresh = Store(str(tmp_path / "fresh"))
    again = run(fresh, write(fresh, table, [2000]), recipe_of("agreement=0.999"))
    assert verdicts(fresh, again) == verdicts(store, done)  # what lay there before shows nowhere


def test_mining_with_the_expensive_encoder_takes_what_is_there(tmp_path, encoders):
    store, table = Store(str(tmp_path)), fake_pairs(2000)
    done = run(store, write(store, table, [2000]), recipe_of())
    recipe = load_recipe(None, [*(f"similarity.{one}" for one in BASE), f"mine.encoder={DEAR}"])
    settings = stage_settings(recipe, "encode", False, "encoded before", VECTORS, {})
    run_stage(EncodeStage(), store, done.kept, settings, done.fingerprint, SerialExecutor(), Silent())
    seen = Counter(encoders[DEAR].seen)
    assert max(seen.values()) == 1
    kept = store.read_table(done.kept[0])
    assert {("passage", text) for text in kept["passage"].to_pylist()} <= set(seen)


def test_mining_searches_with_the_encoder_that_saw_all_pairs():
    def names(*settings):
        recipe = load_recipe(None, [*(f"similarity.{one}" for one in BASE), *settings])
        return [stage.name for stage in stages_until([], recipe, "mine")].count("encode")

    assert names() == 1
    assert names(f"mine.encoder={CHEAP}") == 1  # those vectors are there
    assert names(f"mine.encoder={DEAR}") == 2


def test_a_build_too_small_for_bands_is_the_expensive_encoders_whole(tmp_path, encoders):
    store, table = Store(str(tmp_path)), fake_pairs(60)
    done = run(store, write(store, table, [60]), recipe_of())
    facts = merge_facts(done.receipts)["cascade"]
    assert facts["pairs_decided"] == {DEAR: 60, CHEAP: 0}
    assert len({text for side, text in encoders[DEAR].seen if side == "passage"}) == 60
    dear = [float(text.split()[2]) for text in table["passage"].to_pylist()]
    found = verdicts(store, done)
    assert [found[key] is True for key in table["pair_id"].to_pylist()] == [score >= 0.3 for score in dear]
    with pytest.raises(UsageError, match=r"no cut is known for the encoder tests/dear"):
        run(store, write(store, table, [60]), recipe_of("threshold=null"))


def test_an_empty_build(tmp_path, encoders):
    store = Store(str(tmp_path))
    done = run(store, write(store, fake_pairs(0), [0]), recipe_of())
    assert done.ledger.rows_in == 0
