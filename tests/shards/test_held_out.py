"""The held-out documents, and the retrieval task made of them."""

import pyarrow as pa
import pytest

from cmtp.errors import UsageError
from cmtp.shards.held_out import Split, read_pairs, retrieval_task
from tests.train.shards import hexid, write_build


def test_held_out_share_and_seed():
    ids = pa.array([hexid(str(n)) for n in range(20_000)])
    first = Split(0.1, 1).holds(ids)
    assert abs(first.mean() - 0.1) < 0.01
    assert not Split(0.05, 1).holds(ids)[~first].any()  # a smaller share is part of a larger one
    assert abs((first & Split(0.1, 2).holds(ids)).mean() - 0.01) < 0.005


def test_retrieval_task_holds_whole_documents_out(tmp_path):
    shards = write_build(tmp_path / "b")
    task = retrieval_task(shards, Split(0.3, 1), 1000, 60)
    held = read_pairs(shards, ["query", "passage"], Split(0.3, 1), held_out=True)
    assert set(task.queries) == set(held["query"])
    assert len(task.passages) == 60
    assert set(task.passages[: task.held_out]) == set(held["passage"])
    for query, right in zip(task.queries, task.relevant, strict=True):
        answers = set(held.filter(held["query"] == query)["passage"])
        assert {task.passages[row] for row in right} == answers
    with pytest.raises(UsageError, match="too few"):
        retrieval_task(shards, Split(1e-9, 1), 10, 10)
    with pytest.raises(UsageError, match="is it the output folder"):
        retrieval_task(str(tmp_path), Split(0.1, 1), 10, 10)


def test_documents_that_a_model_was_trained_on_are_distractors(tmp_path):
    shards = write_build(tmp_path / "b")
    split, unseen = Split(0.4, 1), Split(0.15, 1)
    task = retrieval_task(shards, split, 1000, 1000, unseen=unseen)
    small = read_pairs(shards, ["query", "passage", "doc_id"], unseen, held_out=True)
    large = read_pairs(shards, ["query", "passage", "doc_id"], split, held_out=True)
    assert set(task.queries) == set(small["query"])
    assert task.left_out == large["doc_id"].n_unique() - small["doc_id"].n_unique() > 0
    assert set(task.passages[: task.held_out]) == set(small["passage"])
    assert set(large["passage"]) < set(task.passages)
    with pytest.raises(UsageError, match=r"the model was trained on \d+ of their documents: too few"):
        retrieval_task(shards, split, 1000, 1000, unseen=Split(1e-9, 1))
