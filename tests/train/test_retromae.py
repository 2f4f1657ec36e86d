"""RetroMAE against its equations, written out slowly."""

import math

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM

from cmtp.train.retromae import IGNORED, RetroMAE, decoder_visibility, mask_tokens

CLS, SEP, MASK, PAD, VOCABULARY, HIDDEN, HEADS = 2, 3, 4, 0, 50, 8, 2


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        num_hidden_layers=1,
        num_attention_heads=HEADS,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    found = RetroMAE(BertForMaskedLM(config), 0.3, 0.5, MASK).double().eval()
    for parameter in found.parameters():  # BERT's small first weights would hide an error behind the residual
        torch.nn.init.normal_(parameter, std=0.5)
    return found


def texts(batch=3, length=9, seed=1):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, VOCABULARY, (batch, length), generator=generator)
    ids[:, 0], ids[:, -1] = CLS, SEP
    ids[-1, -4:] = torch.tensor([SEP, PAD, PAD, PAD])  # the last text is shorter
    attention = (ids != PAD).long()
    special = (ids == CLS) | (ids == SEP) | (ids == PAD)
    return ids, attention, special


def test_visibility_hides_the_diagonal_and_shows_the_sentence_vector():
    padding = torch.zeros(64, 40, dtype=torch.bool)
    padding[0, 30:] = True
    visible = decoder_visibility(padding, 0.5)
    assert not visible.diagonal(dim1=1, dim2=2).any()
    assert visible[:, 1:, 0].all()
    assert not visible[0, :, 30:].any()
    off = ~torch.eye(40, dtype=torch.bool)
    off[:, 0] = False
    hidden = 1 - visible[1:, off].float().mean().item()
    assert abs(hidden - 0.5) < 0.005  # 63 × 1,521 draws: 16 standard errors


def test_rows_hide_different_positions():
    visible = decoder_visibility(torch.zeros(1, 60, dtype=torch.bool), 0.5)[0]
    assert len({tuple(row.tolist()) for row in visible}) == 60


def test_labels_leave_out_special_tokens_and_padding():
    ids, _, special = texts(200, 30)
    masked, labels = mask_tokens(ids, special, 0.3, MASK, VOCABULARY)
    assert (labels[special] == IGNORED).all()
    assert torch.equal(masked[special], ids[special])
    labelled = labels != IGNORED
    assert torch.equal(labels[labelled], ids[labelled])
    assert torch.equal(masked[~labelled], ids[~labelled])
    assert abs(labelled[~special].float().mean().item() - 0.3) < 0.03
    kept = (masked == ids)[labelled].float().mean().item()
    assert abs((masked == MASK)[labelled].float().mean().item() - 0.8) < 0.04
    assert 0.05 < kept < 0.17  # 10 % and the random tokens that hit the right one


@pytest.mark.parametrize("position", [1, 4, 7])
def test_a_row_does_not_see_its_own_token(model, position):
    ids, attention, _ = texts()
    visible = decoder_visibility(attention == 0, 0.5)
    sentence = torch.randn(3, HIDDEN, dtype=torch.float64)
    before = model.decode(ids, sentence, visible)
    changed = ids.clone()
    changed[:, position] = 5 + (ids[:, position] - 4) % (VOCABULARY - 5)
    after = model.decode(changed, sentence, visible)
    assert torch.equal(before[:, position], after[:, position])
    assert not torch.equal(before, after)


def test_a_row_that_sees_nothing_is_finite(model):
    ids, _, _ = texts()
    visible = torch.zeros(3, 9, 9, dtype=torch.bool)
    visible[:, 1:, 0] = True
    decoded = model.decode(ids, torch.randn(3, HIDDEN, dtype=torch.float64), visible)
    decoded.sum().backward()
    assert torch.isfinite(decoded).all()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def literal_decoder(model, ids, h, visible):
    """Equations 5 to 8 for one text, position by position, head by head."""
    layer, tables = model.decoder, model.encoder.bert.embeddings
    length, size = len(ids), HIDDEN // HEADS
    positions = tables.position_embeddings.weight
    h1 = [h + positions[i] for i in range(length)]
    h2 = [h]
    for i in range(1, length):
        token = tables.word_embeddings.weight[ids[i]] + positions[i] + tables.token_type_embeddings.weight[0]
        h2.append(tables.LayerNorm(token))
    rows = []
    for i in range(length):
        heads = []
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            query = layer.query(h1[i])[part]
            scores = [
                (query @ layer.key(h2[j])[part]).item() / math.sqrt(size) + (0 if visible[i, j] else -math.inf)
                for j in range(length)
            ]
            highest = max(scores)
            weights = [math.exp(s - highest) for s in scores]
            mixed = sum(w * layer.value(h2[j])[part] for j, w in enumerate(weights))
            heads.append(mixed / sum(weights))
        middle = layer.attention_norm(h1[i] + layer.output(torch.cat(heads)))
        rows.append(layer.norm(middle + layer.down(torch.nn.functional.gelu(layer.up(middle)))))
    return rows


def cross_entropy(logits, label):
    return (torch.logsumexp(logits, 0) - logits[label]).item()


def test_loss_equals_the_literal_one(model):
    ids, attention, special = texts()
    seed = 7
    for seed in range(7, 100):  # a draw in which row 0, whose output nobody uses, sees something
        torch.manual_seed(seed)
        masked, labels = mask_tokens(ids, special, 0.3, MASK, VOCABULARY)
        visible = decoder_visibility(attention == 0, 0.5)
        if visible[:, 0].any(dim=1).all():
            break
    torch.manual_seed(seed)
    loss = model(ids, attention, special).item()

    encoder_terms, decoder_terms = [], []
    head = model.encoder.cls
    for b in range(len(ids)):
        real = int(attention[b].sum())
        hidden = model.encoder.bert(masked[b : b + 1, :real]).last_hidden_state[0]
        encoder_terms += [cross_entropy(head(hidden[i]), labels[b, i]) for i in range(real) if labels[b, i] != IGNORED]
        rows = literal_decoder(model, ids[b, :real], hidden[0], visible[b])
        decoder_terms += [cross_entropy(head(rows[i]), ids[b, i]) for i in range(1, real - 1)]
    expected = sum(encoder_terms) / len(encoder_terms) + sum(decoder_terms) / len(decoder_terms)
    assert len(decoder_terms) == 7 + 7 + 4
    assert loss == pytest.approx(expected, abs=1e-10)
