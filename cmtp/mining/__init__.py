"""Hard negatives: which pairs become finetune rows, the search for near misses, and the control of false negatives.

No pair is rejected here: the finetune table is made from pairs that stay where they are.

- `stage` draws the protocol: which task reads and writes what. `plan` decides which pairs become rows, and what the
  pools are. `files` is what lies on disk.
- `miners` is what searches, and how to add a miner; `dense` searches by vectors, exactly or approximately.
- `rules` says which candidates are false negatives, with `overlap` of n-grams and a `cross_encoder`.
- `negatives` puts the two together for a block of queries in memory; `curated` adds what a source labelled; `search`
  does it for a block on disk.

The int8 search is in `cmtp.kernels.int8`, BM25 in `cmtp.text.bm25`.
"""
