"""The cascade through its stages, with two encoders that count what they are given."""

import json
from collections import Counter

import numpy as np
import pytest

from cmtp.encoders.registry import ENCODERS, load_encoder
from cmtp.engine.executor import SerialExecutor
from cmtp.engine.figures import plain_values
from cmtp.engine.plan import place, run_alone
from cmtp.engine.store import Store
from cmtp.mining.stage import MineEncodeStage
from cmtp.recipe import load_recipe
from cmtp.similarity.encode import EncodeStage
from tests.similarity.fakes import CHEAP, EXPENSIVE, Fake, fake_pairs, run_similarity, write_parts

BASE = (f"encoder={EXPENSIVE}", f"cascade={CHEAP}", "sample=400", "min_sample=100", "threshold=0.3")


@pytest.fixture
def encoders(monkeypatch):
    made = {name: Fake(name) for name in (CHEAP, EXPENSIVE)}
    for name, encoder in made.items():
        monkeypatch.setitem(ENCODERS._items, name, encoder.card())
    load_encoder.cache_clear()
    yield made
    load_encoder.cache_clear()


def run(store, parts, *settings, executor=None):
    return run_similarity(store, parts, [*BASE, *settings], executor)


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
    done = run(store, write_parts(store, table, [3000]))
    found = verdicts(store, done)
    expensive = np.array([float(text.split()[2]) for text in table["passage"].to_pylist()])
    kept = np.array([found[one] is True for one in table["pair_id"].to_pylist()])
    agree = np.mean(kept == (expensive >= 0.3))
    assert agree >= 0.99
    passages = {text for side, text in encoders[EXPENSIVE].seen if side == "passage"}
    assert 400 < len(passages) < 1500  # the sample, and a band
    figures = plain_values(done.figures)["cascade"]
    assert figures["encoder"] == EXPENSIVE
    assert figures["weights"] == "hash of tests/expensive"
    assert figures["agreement"] >= 0.99
    assert figures["pairs_decided"] == {EXPENSIVE: len(passages), CHEAP: 3000 - len(passages)}
    band = figures["bands"]["甲/title_body"]
    assert band["low"] < band["high"]
    assert figures["in_band"] == band["share"]


def test_evidence_names_the_encoder_that_decided(tmp_path, encoders):
    store, table = Store(str(tmp_path)), fake_pairs(3000)
    done = run(store, write_parts(store, table, [3000]))
    rejected = {key: one for key, one in verdicts(store, done).items() if one is not True}
    texts = dict(zip(table["pair_id"].to_pylist(), table["passage"].to_pylist(), strict=True))
    assert {one["encoder"] for one in rejected.values()} == {CHEAP, EXPENSIVE}
    band = plain_values(done.figures)["cascade"]["bands"]["甲/title_body"]
    seen = {text for side, text in encoders[EXPENSIVE].seen if side == "passage"}
    for key, evidence in rejected.items():
        cheap, expensive = map(float, texts[key].split()[1:3])
        assert evidence["similarity"] == pytest.approx(
            cheap, abs=1e-3
        )  # of the encoder that saw all pairs, in every row
        assert evidence["score"] < evidence["threshold"]
        assert (texts[key] in seen) == (evidence["encoder"] == EXPENSIVE)
        if evidence["encoder"] == EXPENSIVE:
            assert evidence["score"] == pytest.approx(expensive, abs=1e-3)
            assert evidence["threshold"] == pytest.approx(0.3)
        else:
            assert evidence["threshold"] == pytest.approx(band["low"], abs=1e-5)
    for path in done.kept:
        kept = store.read_table(path)
        cheap = [float(text.split()[1]) for text in kept["passage"].to_pylist()]
        np.testing.assert_allclose(kept["similarity"].to_numpy(), cheap, atol=1e-3)


def test_the_calibrated_cut_is_the_expensive_encoders(tmp_path, encoders):
    store, table = Store(str(tmp_path)), fake_pairs(2000)
    done = run(store, write_parts(store, table, [2000]), "threshold=null", "max_loss=0.5")
    figures = plain_values(done.figures)
    found = figures["calibration"]["甲/title_body"]
    assert found["pairs"] == 400
    assert found["auc"] > 0.95
    rejected = [one for one in verdicts(store, done).values() if one is not True and one["encoder"] == EXPENSIVE]
    assert {one["threshold"] for one in rejected} == {found["threshold"]}


def test_partitions_make_no_difference(tmp_path, encoders):
    table = fake_pairs(1500)
    found = []
    for name, cuts in (("one", [1500]), ("four", [0, 700, 1, 799])):
        store = Store(str(tmp_path / name))
        done = run(store, write_parts(store, table, cuts), "threshold=null")
        found.append((verdicts(store, done), plain_values(done.figures)))
    assert found[0] == found[1]


class Falters(SerialExecutor):
    """Dies after some tasks."""

    def __init__(self, tasks):
        self.left = tasks

    def run(self, tasks):
        for receipt in super().run(tasks):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            yield receipt


def test_stopped_anywhere_it_goes_on_and_encodes_nothing_twice(tmp_path, encoders):
    table = fake_pairs(900)
    whole = Store(str(tmp_path / "whole"))
    done = run(whole, write_parts(whole, table, [400, 500]))
    expected = verdicts(whole, done)
    tasks = len(done.receipts)
    for encoder in encoders.values():
        encoder.seen.clear()
    store = Store(str(tmp_path / "stopped"))
    parts = write_parts(store, table, [400, 500])
    stops = 0
    for _ in range(2 * tasks):
        try:
            done = run(store, parts, executor=Falters(1))
            break
        except KeyboardInterrupt:
            stops += 1
    assert stops > 4
    assert verdicts(store, done) == expected
    assert max(Counter(encoders[EXPENSIVE].seen).values()) == 1


def test_another_threshold_encodes_only_what_was_never_seen(tmp_path, encoders):
    store, table = Store(str(tmp_path)), fake_pairs(2000)
    parts = write_parts(store, table, [2000])
    run(store, parts, "agreement=0.9")
    cheap, before = len(encoders[CHEAP].seen), len(encoders[EXPENSIVE].seen)
    run(store, parts, "agreement=0.85")  # a narrower band of the same sample
    assert len(encoders[EXPENSIVE].seen) == before
    done = run(store, parts, "agreement=0.999")
    assert max(Counter(encoders[EXPENSIVE].seen).values()) == 1
    assert len(encoders[EXPENSIVE].seen) > before
    assert len(encoders[CHEAP].seen) == cheap
    fresh = Store(str(tmp_path / "fresh"))
    again = run(fresh, write_parts(fresh, table, [2000]), "agreement=0.999")
    assert verdicts(fresh, again) == verdicts(store, done)  # what lay there before shows nowhere


def test_mining_with_the_expensive_encoder_takes_what_is_there(tmp_path, encoders):
    store, table = Store(str(tmp_path)), fake_pairs(2000)
    done = run(store, write_parts(store, table, [2000]))
    recipe = load_recipe(None, [*(f"similarity.{setting}" for setting in BASE), f"mine.encoder={EXPENSIVE}"])
    before = {"encode": place(EncodeStage(), EncodeStage().resolve(recipe, {}), "x")}
    work = MineEncodeStage().resolve(recipe, before)
    run_alone(MineEncodeStage(), store, work, done.kept, input_fingerprint=done.fingerprint, executor=SerialExecutor())
    seen = Counter(encoders[EXPENSIVE].seen)
    assert max(seen.values()) == 1
    kept = store.read_table(done.kept[0])
    assert {("passage", text) for text in kept["passage"].to_pylist()} <= set(seen)


@pytest.mark.parametrize(("settings", "encodes"), [((), False), ((CHEAP,), False), ((EXPENSIVE,), True)])
def test_mining_searches_with_the_encoder_that_saw_all_pairs(settings, encodes):
    """Where mining has an encoder of its own, its vectors are made by a stage of their own."""
    overrides = [*(f"similarity.{setting}" for setting in BASE), *(f"mine.encoder={name}" for name in settings)]
    assert MineEncodeStage().wanted(load_recipe(None, overrides)) is encodes


def test_a_build_too_small_for_bands_is_the_expensive_encoders_whole(tmp_path, encoders):
    store, table = Store(str(tmp_path)), fake_pairs(60)
    done = run(store, write_parts(store, table, [60]))
    figures = plain_values(done.figures)["cascade"]
    assert figures["pairs_decided"] == {EXPENSIVE: 60, CHEAP: 0}
    assert len({text for side, text in encoders[EXPENSIVE].seen if side == "passage"}) == 60
    expensive = [float(text.split()[2]) for text in table["passage"].to_pylist()]
    found = verdicts(store, done)
    assert [found[key] is True for key in table["pair_id"].to_pylist()] == [score >= 0.3 for score in expensive]


def test_where_no_cut_is_known_the_expensive_encoder_sees_the_sample_alone(tmp_path, encoders):
    """Nothing can be decided, so nothing is encoded for a decision."""
    store, table = Store(str(tmp_path)), fake_pairs(700)
    done = run(store, write_parts(store, table, [700]), "threshold=null", "min_sample=1000")
    assert done.ledger.rows_kept == 700
    figures = plain_values(done.figures)
    assert figures["not_cut"] == {"甲/title_body": 700}
    assert figures["cascade"]["pairs_decided"] == {EXPENSIVE: 400, CHEAP: 300}


def test_an_empty_build(tmp_path, encoders):
    store = Store(str(tmp_path))
    done = run(store, write_parts(store, fake_pairs(0), [0]))
    assert done.ledger.rows_in == 0
