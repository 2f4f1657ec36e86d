"""InfoNCE and GradCache: gradients against a literal full-batch loss; two processes against one."""

import json
import math
import os
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cmtp.train.batches import TrainRow, own_slice
from cmtp.train.contrastive import InfoNCE
from cmtp.train.trainers import pair_collate
from tests.train import two_processes
from tests.train.two_processes import Bag, Letters

ROWS = two_processes.ROWS


def features_of(batch):
    features = [{n: batch[f"{s}_{n}"] for n in ("input_ids", "attention_mask")} for s in ("query", "passage")]
    return features, {n.removeprefix("label_"): v for n, v in batch.items() if n.startswith("label_")}


def literal_loss(model, rows, temperature):
    """One query at a time, one passage at a time, from the texts themselves."""
    collate = pair_collate(Letters(), 64, 64)
    batch, _ = features_of(collate(rows, 0))
    queries, passages = (F.normalize(model(f)["sentence_embedding"], dim=1) for f in batch)
    texts = [(i, t, True) for i, r in enumerate(rows) for t in r.pos] + [
        (i, t, False) for i, r in enumerate(rows) for t in r.neg
    ]
    losses = []
    for i, row in enumerate(rows):
        terms = []
        for j, (owner, text, positive) in enumerate(texts):
            score = queries[i] @ passages[j] / temperature
            if owner == i and positive:
                right = score
                terms.append(score)
                continue
            if text in (row.query, row.pos[0]) or (positive and rows[owner].query == row.query):
                continue
            if owner == i or (row.in_batch and rows[owner].in_batch):
                terms.append(score)
        losses.append(torch.logsumexp(torch.stack(terms), 0) - right)
    return torch.stack(losses).mean()


def gradients(model):
    return {name: p.grad.clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_gradcache_gives_the_gradients_of_the_whole_batch(chunk):
    model = Bag()
    literal = literal_loss(model, ROWS, 0.05)
    literal.backward()
    expected = gradients(model)
    model.zero_grad()
    loss = InfoNCE(model, 0.05, chunk)(*features_of(pair_collate(Letters(), 64, 64)(ROWS, 0)))
    loss.backward()
    assert loss.item() == pytest.approx(literal.item(), rel=1e-12)
    for name, gradient in gradients(model).items():
        scale = expected[name].abs().max()
        assert (gradient - expected[name]).abs().max() <= 1e-10 * scale, name


def test_gradcache_replays_dropout():
    """With dropout on, each text keeps its mask between the two passes: chunks give the gradients of one piece."""
    results = []
    for chunk in (1, 2):
        model = Bag(dropout=0.3).train()
        torch.manual_seed(5)
        loss = InfoNCE(model, 0.05, chunk)
        seen = []
        hook = model.register_forward_hook(
            lambda _m, _i, out, seen=seen: seen.append(out["sentence_embedding"].detach())
        )
        loss(*features_of(pair_collate(Letters(), 64, 64)(ROWS, 0))).backward()
        hook.remove()
        half = len(seen) // 2
        results.append(all(torch.equal(a, b) for a, b in zip(seen[:half], seen[half:], strict=True)))
    assert results == [True, True]


def test_the_same_text_is_no_negative():
    """Row 1 has row 0's positive as a hard negative, row 2 has row 0's query: neither counts."""
    rows = [
        TrainRow("甲", ("子",), ("丑",)),
        TrainRow("乙", ("寅",), ("子",)),
        TrainRow("甲", ("卯",), ()),
    ]
    loss = InfoNCE(Bag(), 0.05, 10)
    loss(*features_of(pair_collate(Letters(), 8, 8)(rows, 0)))
    # row 0: 丑, 寅 (子 of row 1 is its positive, 卯 belongs to the same query) 2; row 1: 子, 丑, 子?, 卯
    # 子 is row 0's positive and row 1's own negative: both occurrences count for row 1 → 4; row 2: 丑, 寅, 子 (neg) → 3
    assert loss.numbers.take()["negatives"] == pytest.approx((2 + 4 + 3) / 3, abs=1e-4)


def test_chance_level_is_the_loss_of_a_model_that_sees_no_difference():
    class Same(nn.Module):
        def forward(self, features):
            return {"sentence_embedding": torch.ones(len(features["input_ids"]), 4, dtype=torch.float64)}

    loss = InfoNCE(Same(), 0.02, 100)
    value = loss(
        *features_of(
            pair_collate(Letters(), 8, 8)(
                [TrainRow("甲", ("子",)), TrainRow("乙", ("丑",)), TrainRow("丙", ("寅",))], 0
            )
        )
    )
    numbers = loss.numbers.take()
    assert value.item() == pytest.approx(math.log(3))
    assert numbers["chance_loss"] == pytest.approx(math.log(3), abs=1e-4)


def test_rows_without_in_batch_negatives_see_their_own_alone():
    rows = [TrainRow("甲", ("子",), ("丑",), in_batch=False), TrainRow("乙", ("寅",), ("卯", "辰"), in_batch=False)]
    loss = InfoNCE(Bag(), 0.05, 10)
    loss(*features_of(pair_collate(Letters(), 8, 8)(rows, 0)))
    assert loss.numbers.take()["negatives"] == pytest.approx(1.5)


def test_one_row_with_negatives_is_right():
    row = TrainRow("甲", ("子",), ("丑", "寅"))
    model = Bag()
    loss = InfoNCE(model, 0.05, 10)(*features_of(pair_collate(Letters(), 8, 8)([row], 0)))
    assert loss.item() == pytest.approx(literal_loss(model, [row], 0.05).item(), rel=1e-12)


def test_matryoshka_adds_the_loss_of_the_shorter_vectors():
    model = Bag()
    batch = features_of(pair_collate(Letters(), 64, 64)(ROWS, 0))
    whole = InfoNCE(model, 0.05, 100)(*batch).item()

    class Short(nn.Module):
        def forward(self, features):
            return {"sentence_embedding": model(features)["sentence_embedding"][:, :2]}

    short = InfoNCE(Short(), 0.05, 100)(*batch).item()
    assert InfoNCE(model, 0.05, 100, dimensions=[2])(*batch).item() == pytest.approx(whole + short, rel=1e-12)


def test_distillation_is_the_divergence_from_the_scores():
    row = TrainRow("甲", ("子",), ("丑", "寅"), (0.9,), (0.5, 0.1))
    bare = TrainRow("乙", ("卯",), ("辰",))
    model = Bag()
    batch = features_of(pair_collate(Letters(), 8, 8)([row, bare], 0))
    plain = InfoNCE(model, 0.05, 10)(*batch).item()
    loss = InfoNCE(model, 0.05, 10, distill=0.5, distill_temperature=0.2)(*batch)
    loss.backward()
    queries, passages = (F.normalize(model(f)["sentence_embedding"], dim=1).detach() for f in batch[0])
    teacher = torch.softmax(torch.tensor([0.9, 0.5, 0.1], dtype=torch.float64) / 0.2, 0)
    student = torch.log_softmax(queries[0] @ passages[[0, 2, 3]].T / 0.05, 0)
    divergence = (teacher * (teacher.log() - student)).sum().item()
    assert loss.item() == pytest.approx(plain + 0.5 * divergence / 2, rel=1e-6)  # the scores are float32
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_two_processes_equal_one(tmp_path):
    """DDP over gloo with hard negatives; 5 rows make 2 on one process and 3 on the other."""
    assert [len(own_slice(ROWS, rank, 2)) for rank in (0, 1)] == [2, 3]
    model = Bag()
    literal = literal_loss(model, ROWS, 0.05)
    literal.backward()
    expected = gradients(model)
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.train.two_processes", str(tmp_path), str(rank)],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        )
        for rank in (0, 1)
    ]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    found = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    for chunk in ("1", "2", "100"):
        for side in found:
            for name, gradient in expected.items():
                mine = torch.tensor(side[chunk]["gradients"][name], dtype=torch.float64)
                assert (mine - gradient).abs().max() <= 1e-10 * gradient.abs().max(), (chunk, name)
        assert sum(side[chunk]["loss"] for side in found) / 2 == pytest.approx(literal.item(), rel=1e-12)
