"""One of two processes of the gloo test, and the small model and rows it shares with the others."""

import json
import os
import sys
from pathlib import Path

import torch
from torch import nn

from cmtp.train.batches import TrainRow, own_slice

ROWS = [
    TrainRow("甲一", ("子丑寅",), ("卯辰", "巳午未")),
    TrainRow("乙二", ("申酉戌亥",), ("子丑寅",)),  # its negative is row 0's positive
    TrainRow("丙三三", ("天地玄黄",), ()),
    TrainRow("甲一", ("宇宙洪荒",), ("日月",)),  # row 0's query with another positive
    TrainRow("丁四", ("辰宿列张",), ("寒来", "暑往", "秋收")),
]


class Letters:
    """A tokenizer: a character is a token."""

    def __call__(self, texts, max_length, **_):
        ids = [[ord(c) % 61 + 1 for c in text][:max_length] for text in texts]
        width = max(map(len, ids))
        padded = torch.tensor([row + [0] * (width - len(row)) for row in ids])
        return {"input_ids": padded, "attention_mask": (padded > 0).long()}


class Bag(nn.Module):
    """A model in float64: mean of embeddings, a layer, no unit length."""

    def __init__(self, dropout=0.0):
        super().__init__()
        torch.manual_seed(3)
        self.embedding = nn.Embedding(62, 6)
        self.layer = nn.Linear(6, 5)
        self.dropout = nn.Dropout(dropout)
        self.double()

    def forward(self, features):
        mask = features["attention_mask"][..., None].double()
        mean = (self.dropout(self.embedding(features["input_ids"])) * mask).sum(1) / mask.sum(1)
        return {"sentence_embedding": torch.tanh(self.layer(mean))}


def main(folder, rank):
    from cmtp.train.contrastive import InfoNCE
    from cmtp.train.trainers import pair_collate

    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    own, before = own_slice(ROWS, rank, 2), len(ROWS) * rank // 2
    found = {}
    for chunk in (1, 2, 100):
        model = nn.parallel.DistributedDataParallel(Bag())
        batch = pair_collate(Letters(), 64, 64)(own, before)
        features = [{n: batch[f"{s}_{n}"] for n in ("input_ids", "attention_mask")} for s in ("query", "passage")]
        labels = {n.removeprefix("label_"): v for n, v in batch.items() if n.startswith("label_")}
        loss = InfoNCE(model, 0.05, chunk)(features, labels)
        loss.backward()
        gradients = {name: p.grad.tolist() for name, p in model.module.named_parameters()}
        found[chunk] = {"loss": loss.item(), "gradients": gradients}
    Path(folder, f"{rank}.json").write_text(json.dumps(found))
    torch.distributed.barrier()
    os._exit(0)  # gloo's threads now and then hang in the interpreter's shutdown


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
