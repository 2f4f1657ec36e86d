"""A real cross-encoder, made small and random here."""

import numpy as np
import pytest

from cmtp.mining.cross_encoder import CrossEncoder


def write_reranker(folder):
    """A BERT of 1 layer and 16 dimensions with random weights."""
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    characters = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"怎样清洗滤网热水泡刷干净"]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(characters) + "\n", encoding="utf-8")
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=len(characters), num_labels=1, **shape)
    BertForSequenceClassification(config).save_pretrained(folder)


def test_scores_of_a_model_in_a_folder(tmp_path):
    pytest.importorskip("sentence_transformers")
    write_reranker(tmp_path / "model")
    score = CrossEncoder(str(tmp_path / "model"))
    one = score(["怎样清洗滤网", "怎样清洗滤网"], ["热水泡", "刷干净"])
    assert one.dtype == np.float32
    assert one.shape == (2,)
    assert np.array_equal(one, CrossEncoder(str(tmp_path / "model"))(["怎样清洗滤网"] * 2, ["热水泡", "刷干净"]))
    assert len(score([], [])) == 0
    assert len(score.weights_hash) == 64
