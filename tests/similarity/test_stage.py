"""The stages, with two encoders that count what they are given."""

import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from cmtp.encoders.registry import ENCODERS, load_encoder
from cmtp.engine.executor import SerialExecutor
from cmtp.engine.figures import plain_values
from cmtp.engine.store import Store
from cmtp.mining.stage import MineEncodeStage
from cmtp.recipe import load_recipe
from cmtp.schema import PAIR, REJECTS
from tests.similarity.fakes import (
    FIRST,
    QUERY_DIGITS,
    SECOND,
    Fake,
    is_wrong,
    passage_text,
    planted_texts,
    query_text,
    run_similarity,
    text_pairs,
    write_parts,
)

ALONE = (f"encoder={FIRST}", "second_encoder=null")
BOTH = (f"encoder={FIRST}", f"second_encoder={SECOND}", "probe=100")
GROUP = "生活/title_body"


@pytest.fixture(autouse=True)
def encoders(monkeypatch):
    made = {name: Fake(name) for name in (FIRST, SECOND)}
    for name, encoder in made.items():
        monkeypatch.setitem(ENCODERS._items, name, encoder.card())
    load_encoder.cache_clear()
    yield made
    load_encoder.cache_clear()


def run(folder, table, *settings, sizes=None, executor=None):
    store = Store(str(folder))
    done = run_similarity(store, write_parts(store, table, sizes or [table.num_rows]), settings, executor)
    kept, rejected = (
        pa.concat_tables([store.read_table(path) for path in paths]) for paths in (done.kept, done.rejects)
    )
    return done, kept, rejected


def found(done, group=GROUP):
    return plain_values(done.figures)["groups"][group]


def texts_of(table):
    return set(zip(table["query"].to_pylist(), table["passage"].to_pylist(), strict=True))


def rates(texts, rejected):
    """Shares of the wrong pairs removed and of the right ones lost."""
    gone = texts_of(rejected)
    removed = [pair in gone for pair in texts if is_wrong(*pair)]
    lost = [pair in gone for pair in texts if not is_wrong(*pair)]
    return np.mean(removed) if removed else 0.0, np.mean(lost)


def test_an_encoder_that_can_tell_cuts_alone_and_says_how_many_are_wrong(tmp_path):
    texts = planted_texts(1000, 0.2)
    done, kept, rejected = run(tmp_path, text_pairs(texts), *ALONE)
    removed, lost = rates(texts, rejected)
    assert removed >= 0.85
    assert lost <= 0.01
    figures = found(done)
    assert figures["decision"] == "cut"
    assert figures["wrong"]["low"] <= 0.2 <= figures["wrong"]["high"]
    assert figures["clear"] >= 0.98
    assert (figures["pairs"], figures["judged"], sum(figures["ranks"])) == (1000, 1000, 1000)
    assert done.ledger.reasons() == {"low_similarity": rejected.num_rows}
    assert kept.schema.equals(PAIR)
    assert rejected.schema.equals(REJECTS)
    assert done.stage.warning(done) is None


def test_every_pair_has_its_scores_and_a_reject_its_evidence(tmp_path):
    _, kept, rejected = run(tmp_path, text_pairs(planted_texts(1000, 0.2)), *ALONE)
    assert kept["posterior"].null_count == kept["score"].null_count == 0
    assert kept["posterior"].to_numpy().max() < 0.5
    assert kept["similarity"].to_numpy().mean() == pytest.approx(0.85, abs=0.1)
    for text, score in zip(rejected["evidence"].to_pylist(), rejected["score"].to_pylist(), strict=True):
        evidence = json.loads(text)
        assert evidence["score"] == pytest.approx(score, abs=1e-3)
        assert evidence["rank"] < evidence["cut"]
        assert evidence["posterior"] >= 0.5
        assert evidence["encoder"] == FIRST
        assert "second_encoder" not in evidence


def test_nothing_wrong_nothing_cut(tmp_path):
    done, _, rejected = run(tmp_path, text_pairs(planted_texts(800, 0.0)), *ALONE)
    assert rejected.num_rows == 0
    assert found(done)["decision"] == "clean"


def test_an_encoder_that_cannot_tell_cuts_nothing_and_says_so(tmp_path):
    done, _, rejected = run(tmp_path, text_pairs(planted_texts(800, 0.1, unclear=0.2)), *ALONE)
    assert rejected.num_rows == 0
    assert found(done)["decision"] == "cannot_tell"
    assert found(done)["wrong"]["estimate"] == pytest.approx(0.3, abs=0.06)  # it cannot tell these from wrong ones
    assert done.stage.warning(done).startswith(f"similarity cut nothing in {GROUP}: ")
    assert "similarity.second_encoder" in done.stage.warning(done)


def test_the_second_encoder_is_asked_about_few_suspects_where_nothing_is_wrong(tmp_path, encoders):
    done, kept, rejected = run(tmp_path, text_pairs(planted_texts(1000, 0.0, unclear=0.2)), *BOTH)
    assert rejected.num_rows == 0
    assert (found(done)["decision"], found(done)["asked"]) == ("clean", 100)
    assert sum(side == "passage" for side, _ in encoders[SECOND].seen) == 100
    assert kept["posterior"].to_numpy().max() < 0.1


def test_where_pairs_are_wrong_it_sees_all_suspects_and_only_those(tmp_path, encoders):
    texts = planted_texts(1000, 0.1, unclear=0.1)
    done, _, rejected = run(tmp_path, text_pairs(texts), *BOTH)
    removed, lost = rates(texts, rejected)
    assert removed >= 0.8
    assert lost <= 0.02
    figures = found(done)
    assert figures["decision"] == "cut"
    assert figures["wrong"]["low"] <= 0.1 <= figures["wrong"]["high"]
    seen = sum(side == "passage" for side, _ in encoders[SECOND].seen)
    assert seen == figures["asked"] < 300
    assert {json.loads(text)["second_encoder"] for text in rejected["evidence"].to_pylist()} == {SECOND}


def test_the_second_encoder_sees_the_suspects_beyond_the_sample(tmp_path, encoders):
    texts = planted_texts(1500, 0.2, unclear=0.1)
    done, _, rejected = run(tmp_path, text_pairs(texts), *BOTH, "sample=700", sizes=[600, 900])
    removed, lost = rates(texts, rejected)
    assert removed >= 0.7
    assert lost <= 0.02
    assert found(done)["pairs"] == 700
    assert max(Counter(encoders[SECOND].seen).values()) == 1


def test_partitions_order_and_names_of_files_make_no_difference(tmp_path):
    texts = planted_texts(700, 0.1, unclear=0.1)
    gone, figures = [], []
    for name, ids, order, sizes in (
        ("one", "", texts, [700]),
        ("four", "", texts, [0, 300, 1, 399]),
        ("renamed", "other", texts[::-1], [350, 350]),
    ):
        done, _, rejected = run(tmp_path / name, text_pairs(order, ids=ids), *BOTH, sizes=sizes)
        gone.append(texts_of(rejected))
        figures.append(found(done))
    assert gone[0] == gone[1] == gone[2] != set()
    assert figures[0] == figures[1] == figures[2]


def test_copies_of_rows_change_nothing(tmp_path):
    texts = planted_texts(700, 0.2)
    once, _, rejected = run(tmp_path / "once", text_pairs(texts), *ALONE)
    copied = pa.concat_tables([text_pairs(texts), text_pairs(texts[:500], ids="copy")])
    twice, _, again = run(tmp_path / "twice", copied, *ALONE, sizes=[400, 800])
    assert found(once) == found(twice)
    assert texts_of(rejected) == texts_of(again)


def test_more_wrong_pairs_never_mean_fewer_removed(tmp_path):
    removed = []
    for planted in (0.0, 0.05, 0.1, 0.2, 0.4):
        texts = planted_texts(800, planted, unclear=0.1)
        _, _, rejected = run(tmp_path / str(planted), text_pairs(texts), *BOTH)
        removed.append(sum(is_wrong(*pair) for pair in texts_of(rejected)))
    assert removed == sorted(removed)
    assert removed[-1] > 0.75 * 0.4 * 800


def test_labelled_pairs_are_estimated_and_kept_unless_asked(tmp_path):
    texts = planted_texts(1000, 0.2)
    table = text_pairs(texts, relation="question_passage")
    done, kept, rejected = run(tmp_path / "kept", table, *ALONE)
    assert rejected.num_rows == 0
    figures = found(done, "生活/question_passage")
    assert figures["decision"] == "labelled"
    assert figures["wrong"]["estimate"] == pytest.approx(0.2, abs=0.04)
    assert kept["posterior"].to_numpy().max() > 0.5
    _, _, rejected = run(tmp_path / "asked", table, *ALONE, "cut_labelled=true")
    assert rates(texts, rejected)[0] >= 0.85


def test_a_threshold_decides_alone(tmp_path, encoders):
    texts = planted_texts(40, 0.25)
    done, kept, rejected = run(tmp_path, text_pairs(texts), *BOTH, "threshold=0.6")
    assert rates(texts, rejected) == (1.0, 0.0)
    assert kept["score"].equals(kept["similarity"])
    assert kept["posterior"].null_count == kept.num_rows
    evidence = json.loads(rejected["evidence"][0].as_py())
    assert evidence["similarity"] < evidence["threshold"] == 0.6
    assert not encoders[SECOND].seen
    assert "groups" not in plain_values(done.figures)


def test_small_groups_are_judged_together(tmp_path):
    tables = [text_pairs(planted_texts(250, 0.2, start=1000 * i), source=f"源{i}") for i in range(4)]
    done, _, rejected = run(tmp_path, pa.concat_tables(tables), *ALONE)
    assert list(plain_values(done.figures)["groups"]) == ["*"]
    assert found(done, "*")["pairs"] == 1000
    assert 150 <= rejected.num_rows <= 205


def test_too_few_pairs_for_an_estimate_are_kept_and_the_build_says_so(tmp_path):
    done, kept, rejected = run(tmp_path, text_pairs(planted_texts(60, 0.5)), *BOTH)
    assert (kept.num_rows, rejected.num_rows) == (60, 0)
    assert kept["score"].null_count == kept["posterior"].null_count == 60
    assert plain_values(done.figures)["too_few"] == {GROUP: 60}
    assert "too few pairs" in done.stage.warning(done)
    assert "similarity.min_sample" in done.stage.warning(done)


def test_queries_with_a_near_twin_in_another_document_are_not_judged(tmp_path, monkeypatch):
    """Each query is there twice, hardly different: of two releases, say. Nobody could see exchanged passages."""
    texts = [(query_text(i), passage_text(i)) for i in range(600)]
    twins = [(query + QUERY_DIGITS[0], passage_text(i)) for i, (query, _) in enumerate(texts[:300])]
    encode = Fake.encode

    def nearly_equal(self, column, side):
        shortened = [text[:6] if side == "query" else text for text in column.to_pylist()]
        return encode(self, pa.array(shortened), side)

    monkeypatch.setattr(Fake, "encode", nearly_equal)
    wrong = texts[1:300] + texts[:1]
    exchanged = [(query, passage) for (query, _), (_, passage) in zip(texts[:300], wrong, strict=True)]
    done, _, rejected = run(tmp_path, text_pairs(exchanged + texts[300:] + twins), *ALONE)
    assert rejected.num_rows == 0
    assert found(done)["judged"] == 300


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


def test_stopped_anywhere_it_resumes_and_encodes_nothing_twice(tmp_path, encoders):
    table = text_pairs(planted_texts(600, 0.2, unclear=0.1))
    done, _, expected = run(tmp_path / "whole", table, *BOTH, sizes=[250, 350])
    tasks = len(done.receipts)
    for encoder in encoders.values():
        encoder.seen.clear()
    stops = 0
    for _ in range(2 * tasks):
        try:
            _, _, rejected = run(tmp_path / "stopped", table, *BOTH, sizes=[250, 350], executor=Falters(1))
            break
        except KeyboardInterrupt:
            stops += 1
    assert stops > 4
    assert rejected.equals(expected)
    assert max(Counter(encoders[SECOND].seen).values()) == 1


def test_another_setting_encodes_only_what_was_never_seen(tmp_path, encoders):
    table = text_pairs(planted_texts(1000, 0.1, unclear=0.1))
    run(tmp_path / "one", table, *BOTH)
    first, second = len(encoders[FIRST].seen), len(encoders[SECOND].seen)
    run(tmp_path / "one", table, *BOTH, "probe=50")
    assert (len(encoders[FIRST].seen), len(encoders[SECOND].seen)) == (first, second)


@pytest.mark.parametrize(("settings", "encodes"), [((), False), ((FIRST,), False), ((SECOND,), True)])
def test_mining_searches_with_the_encoder_that_saw_all_pairs(settings, encodes):
    """Where mining has an encoder of its own, its vectors are made by a stage of their own."""
    overrides = [*(f"similarity.{setting}" for setting in BOTH), *(f"mine.encoder={name}" for name in settings)]
    assert MineEncodeStage().wanted(load_recipe(None, overrides)) is encodes


def test_an_empty_build(tmp_path):
    done, kept, rejected = run(tmp_path, text_pairs([]), *BOTH)
    assert done.ledger.rows_in == kept.num_rows == rejected.num_rows == 0
