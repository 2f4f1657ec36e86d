"""RetroMAE (Xiao et al., EMNLP 2022, arXiv 2205.12035), the model of stage 1.

The encoder reads a text with 30 % of its tokens masked. A decoder of one layer has to restore the text from the
encoder's sentence vector, with 50 % of the context hidden from each position. So the encoder learns to put the whole
text into one vector.

The paper and its authors' two programs differ in places. Here the decoder's first stream is h + p_i without a
LayerNorm, as in the paper and in RetroMAE's own code. The context stream goes through the encoder's embedding layer
with its LayerNorm, as in both programs. Each token is masked independently; in a Chinese BERT a token is a character.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertForMaskedLM

from cmtp.train.running_means import RunningMeans

IGNORED = -100
"""Label of a position that does not count in the loss."""


def mask_tokens(
    input_ids: Tensor, special: Tensor, ratio: float, mask_id: int, vocabulary: int
) -> tuple[Tensor, Tensor]:
    """BERT's masking (arXiv 1810.04805 §3.1), drawn on the device the tokens are on.

    Args:
        input_ids: [b, l].
        special: [b, l] bool, [CLS], [SEP] and padding: never masked.
        ratio: share of the other tokens that get a label.
        mask_id: of [MASK], which replaces 80 % of them; 10 % become a random token, 10 % stay.
        vocabulary: number of tokens.

    Returns:
        [b, l] tokens for the encoder, and [b, l] labels: the token to restore, or IGNORED.
    """
    draw = torch.rand(input_ids.shape, device=input_ids.device)
    chosen = (draw < ratio) & ~special
    kind = torch.rand(input_ids.shape, device=input_ids.device)
    random = torch.randint(vocabulary, input_ids.shape, device=input_ids.device)
    masked = torch.where(chosen & (kind < 0.8), mask_id, input_ids)
    masked = torch.where(chosen & (kind >= 0.9), random, masked)
    return masked, torch.where(chosen, input_ids, IGNORED)


def decoder_visibility(padding: Tensor, ratio: float) -> Tensor:
    """Equation 7: the positions that each position of the decoder may attend to.

    Args:
        padding: [b, l] bool, true on padding.
        ratio: share of the other positions that are hidden from a position, drawn for each position separately.

    Returns:
        [b, l, l] bool. Row i never sees position i; every row from 1 on sees position 0, the sentence vector.
    """
    batch, length = padding.shape
    visible = torch.rand(batch, length, length, device=padding.device) >= ratio
    visible &= ~padding[:, None, :]
    visible[:, 1:, 0] = True
    return visible & ~torch.eye(length, dtype=torch.bool, device=padding.device)


class EnhancedDecoder(nn.Module):
    """One transformer layer with queries from one stream, keys and values from the other (equations 5–8)."""

    def __init__(self, hidden: int, heads: int, intermediate: int, dropout: float, epsilon: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(hidden, hidden) for _ in range(4))
        self.attention_norm = nn.LayerNorm(hidden, eps=epsilon)
        self.up, self.down = nn.Linear(hidden, intermediate), nn.Linear(intermediate, hidden)
        self.norm = nn.LayerNorm(hidden, eps=epsilon)
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, context: Tensor, visible: Tensor) -> Tensor:
        """[b, l, d] of both streams and [b, l, l] visibility → [b, l, d]."""
        batch, length, hidden = queries.shape

        def split(x: Tensor) -> Tensor:
            return x.view(batch, length, self.heads, hidden // self.heads).transpose(1, 2)

        # the lowest number instead of -inf: a row that sees nothing (only row 0 can) gets even weights, not NaN
        mask = torch.zeros(visible.shape, dtype=queries.dtype, device=queries.device)
        mask = mask.masked_fill(~visible, torch.finfo(queries.dtype).min)[:, None]
        attended = F.scaled_dot_product_attention(
            split(self.query(queries)),
            split(self.key(context)),
            split(self.value(context)),
            attn_mask=mask,
            dropout_p=self.dropout.p if self.training else 0.0,
        )
        attended = self.output(attended.transpose(1, 2).reshape(batch, length, hidden))
        middle = self.attention_norm(queries + self.dropout(attended))
        out: Tensor = self.norm(middle + self.dropout(self.down(F.gelu(self.up(middle)))))
        return out


class RetroMAE(nn.Module):
    """An encoder with its MLM head, and a decoder that is dropped after pretraining.

    Both share the word and position embeddings and the MLM head. Only the decoder layer is new.
    """

    def __init__(self, encoder: BertForMaskedLM, encoder_mask: float, decoder_mask: float, mask_id: int) -> None:
        super().__init__()
        self.encoder = encoder
        config = encoder.config
        self.decoder = EnhancedDecoder(
            config.hidden_size,
            config.num_attention_heads,
            config.intermediate_size,
            config.hidden_dropout_prob,
            config.layer_norm_eps,
        )
        self.encoder_mask = encoder_mask
        self.decoder_mask = decoder_mask
        self.mask_id = mask_id
        self.numbers = RunningMeans()

    def forward(self, input_ids: Tensor, attention_mask: Tensor, special: Tensor) -> Tensor:
        """Loss of a batch: L_enc + L_dec, each a mean over its labelled tokens.

        Args:
            input_ids: [b, l], [CLS] first.
            attention_mask: [b, l].
            special: [b, l] bool, [CLS], [SEP] and padding.
        """
        masked, labels = mask_tokens(
            input_ids, special, self.encoder_mask, self.mask_id, self.encoder.config.vocab_size
        )
        hidden = self.encoder.bert(masked, attention_mask=attention_mask).last_hidden_state
        encoder_loss = self._cross_entropy(hidden, labels)
        decoded = self.decode(input_ids, hidden[:, 0], decoder_visibility(attention_mask == 0, self.decoder_mask))
        decoder_loss = self._cross_entropy(decoded, torch.where(special, IGNORED, input_ids))
        self.numbers.add(encoder_loss=encoder_loss, decoder_loss=decoder_loss)
        return encoder_loss + decoder_loss

    def decode(self, input_ids: Tensor, sentence: Tensor, visible: Tensor) -> Tensor:
        """Restore a text: [b, l] tokens, [b, d] sentence vectors, [b, l, l] visibility → [b, l, d]."""
        embeddings = self.encoder.bert.embeddings
        positions = embeddings.position_embeddings.weight[: input_ids.shape[1]]
        queries = sentence[:, None] + positions[None]
        context = torch.cat([sentence[:, None], embeddings(input_ids)[:, 1:]], dim=1)
        decoded: Tensor = self.decoder(queries, context, visible)
        return decoded

    def _cross_entropy(self, hidden: Tensor, labels: Tensor) -> Tensor:
        """Mean over the labelled positions. The MLM head, the largest product of all, is computed at those alone."""
        labelled = labels != IGNORED
        logits = self.encoder.cls(hidden[labelled])
        wide = logits if logits.dtype == torch.float64 else logits.float()  # bf16 would lose the small probabilities
        total = F.cross_entropy(wide, labels[labelled], reduction="sum")
        return total / labelled.sum().clamp(min=1)
