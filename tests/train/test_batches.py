"""Order of rows, cutting of batches, rows of finetune files."""

from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmtp.errors import CmtpError, UsageError
from cmtp.train.batches import TrainBatches, TrainRow, from_step, own_slice
from cmtp.train.guards import announce, negatives_of
from cmtp.train.settings import FinetuneSettings, WeakSettings, load_train_settings
from cmtp.train.shards import Corpus, finetune_row, windows
from cmtp.train.trainers import pair_collate
from tests.train.shards import write_build
from tests.train.two_processes import Letters

ZH = "为这个句子生成表示以用于检索相关文章："


def rows_of(n, group="a", start=0):
    return [TrainRow(f"问{start + i}", (f"答{start + i}",), group=group) for i in range(n)]


def blocks(rows, size):
    return lambda epoch: [rows[i : i + size] for i in range(0, len(rows), size)]


def test_every_row_once_an_epoch_within_its_group():
    rows = rows_of(50) + rows_of(31, "b", 50)
    Random(1).shuffle(rows)
    batches = TrainBatches(blocks(rows, 20), 8, seed=3)
    found = list(batches.epoch(0))
    assert sorted(row.query for batch in found for row in batch) == sorted(row.query for row in rows)
    assert all(len({row.group for row in batch}) == 1 for batch in found)
    assert [len(batch) for batch in found].count(8) >= 8
    assert found != list(batches.epoch(1))
    assert found == list(TrainBatches(blocks(rows, 20), 8, seed=3).epoch(0))
    assert found != list(TrainBatches(blocks(rows, 20), 8, seed=4).epoch(0))


@given(st.integers(1, 60), st.integers(2, 9), st.integers(1, 25), st.integers(0, 3))
def test_no_row_is_lost_but_one_that_is_alone(n, size, block, seed):
    batches = TrainBatches(blocks(rows_of(n), block), size, seed)
    found = [row.query for batch in batches.epoch(0) for row in batch]
    assert len(found) == len(set(found)) == n - batches.skipped.alone
    assert batches.skipped.alone == (n % size == 1)


def test_no_text_is_twice_in_a_batch():
    rows = [TrainRow(f"问{i % 5}", (f"答{i}",)) for i in range(40)] + [TrainRow("答3", ("别的",))]
    found = list(TrainBatches(blocks(rows, 41), 10, seed=0).epoch(0))
    for batch in found:
        texts = [text for row in batch for text in (row.query, *row.pos)]
        assert len(texts) == len(set(texts))
    assert sum(map(len, found)) >= 40


def test_a_run_resumes_at_any_step():
    batches = TrainBatches(blocks(rows_of(37), 10), 5, seed=3)
    whole = list(islice(iter(batches), 30))
    for step in (0, 1, 7, 8, 20):
        assert list(islice(from_step(batches, step), 30 - step)) == whole[step:]


def test_devices_share_a_batch_out():
    rows = rows_of(11)
    slices = [own_slice(rows, rank, 4) for rank in range(4)]
    assert [row for part in slices for row in part] == rows
    assert sorted(map(len, slices)) == [2, 3, 3, 3]


def test_alpha_draws_small_groups_more_often():
    rows = rows_of(160) + rows_of(16, "b", 160)

    def share(alpha):
        found = list(TrainBatches(blocks(rows, 200), 8, 0, alpha).epoch(0))
        return sum(batch[0].group == "b" for batch in found) / len(found)

    assert share(1) == pytest.approx(2 / 22)
    assert share(0) == pytest.approx(0.5, abs=0.1)
    assert 2 / 22 < share(0.5) < 0.5


def test_a_run_without_negatives_stops_with_the_reason():
    alone = [TrainRow("问", ("答",), group="a"), TrainRow("题", ("解",), group="b")]
    with pytest.raises(CmtpError, match="none has a negative"):
        next(iter(TrainBatches(blocks(alone, 2), 4, 0)))
    own = [TrainRow(f"问{i}", (f"答{i}",), in_batch=False) for i in range(4)]
    with pytest.raises(CmtpError, match="none has a negative"):
        next(iter(TrainBatches(blocks(own, 4), 4, 0)))


def test_chance_level_is_announced():
    text = announce("weak", TrainBatches(blocks(rows_of(32), 32), 8, 0), 12)
    assert "7.0 negatives per query" in text
    assert "chance level 2.08" in text  # ln 8
    assert negatives_of([TrainRow("甲", ("子",), ("丑", "寅")), TrainRow("乙", ("卯",))]) == pytest.approx((3 + 3) / 2)


ROW = {"pair_id": "1", "query": "怎么退货", "pos": ["七天内可退"], "neg": ["天气很好", "三日", "晴"],
       "pos_scores": [0.9], "neg_scores": [0.5, 0.4, 0.3], "instruction": ZH,
       "task": "retrieval", "relation": "question_answer",
       "source": "shop"}  # fmt: skip


def made(**change):
    return finetune_row(ROW | change, FinetuneSettings(negatives=2), set(), Random(0))


def test_instruction_is_byte_exact_on_the_query_side_alone():
    row = made()
    batch_texts = []

    class Spy(Letters):
        def __call__(self, texts, max_length, **options):
            batch_texts.append(list(texts))
            return super().__call__(texts, max_length, **options)

    pair_collate(Spy(), 64, 64)([row], 0)
    assert batch_texts[0][0].encode() == "为这个句子生成表示以用于检索相关文章：怎么退货".encode()
    assert batch_texts[1] == [*row.pos, *row.neg]
    assert load_train_settings("small").instruction.encode() == ZH.encode()


@pytest.mark.parametrize("absent", [None, ""])
def test_no_instruction_is_no_text(absent):
    assert made(instruction=absent).instruction == ""
    assert "None" not in made(instruction=absent).instruction


def test_instruction_can_be_left_out():
    assert finetune_row(ROW, FinetuneSettings(instruction=False), set(), Random(0)).instruction == ""


def test_a_bare_string_is_one_positive_not_its_characters():
    assert made(pos="七天内可退").pos == ("七天内可退",)


@pytest.mark.parametrize("empty", [[], None])
def test_without_negatives_a_row_has_none(empty):
    assert made(neg=empty, neg_scores=empty).neg == ()


def test_broken_rows_are_refused():
    with pytest.raises(UsageError, match="no positive"):
        made(pos=[])
    with pytest.raises(UsageError, match="neg_scores does not hold one score per text"):
        made(neg_scores=[0.1])
    with pytest.raises(UsageError, match="neg is not a list of texts"):
        made(neg=[1, 2])


def test_scores_stay_with_their_negatives():
    row = made()
    assert len(row.neg) == 2
    assert [dict(zip(ROW["neg"], ROW["neg_scores"], strict=True))[text] for text in row.neg] == list(row.neg_scores)


def test_windows_end_at_sentences_and_lose_nothing():
    text = "第一句话。第二句话很长很长很长很长！" + "没有标点" * 20
    found = list(windows(text, 20))
    assert "".join(found) == text
    assert all(len(window) <= 20 for window in found)
    assert found[0] == "第一句话。第二句话很长很长很长很长！"


def test_held_out_documents_are_in_nothing(tmp_path):
    """Their texts, pairs and rows are left out, and their passages are not negatives."""
    from cmtp.shards.held_out import Split, read_pairs

    shards = write_build(tmp_path / "b")
    held = read_pairs(shards, ["query", "passage"], Split(0.3, 1), held_out=True)
    rest = read_pairs(shards, ["query", "passage"], Split(0.3, 1), held_out=False)
    assert held.height + rest.height == 120
    assert 15 < held.height < 60
    corpus = Corpus(shards, Split(0.3, 1))
    passages = set(held["passage"])
    weak = [row for block in corpus.weak(WeakSettings()) for row in block]
    assert {row.query for row in weak} == set(rest["query"])
    finetune = [row for block in corpus.finetune(FinetuneSettings(negatives=3), 0, 0) for row in block]
    assert finetune
    assert not passages & {text for row in finetune for text in (*row.pos, *row.neg)}
    seen = "".join(row.query for block in corpus.pretrain(1000) for row in block) + "".join(corpus.texts())
    assert not any(passage in seen for passage in passages)
    assert all(passage in seen for passage in rest["passage"])
