"""Encoders: columns of text in, L2-normalised float32 vectors out.

An encoder's card (`base.EncoderCard`) is read before the encoder is loaded: its package, the identity of its weights,
a known cut, whether it computes on a GPU. `registry` finds cards by name and loads encoders.

- `static_zh`: the bundled CPU encoder. Its tables are in the folder `static_zh/`. `kernel` and `trie` read them,
  `distill` builds them.
- `e5`: multilingual-e5-small in 4 bits.
- `sentence`: any sentence-transformers model; `hub` finds models in folders and on the Hugging Face hub.

Thresholds and their calibration are in `cmtp.similarity`, search is in `cmtp.mining`.
"""
