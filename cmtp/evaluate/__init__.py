"""Scores embedding models, and builds by the models that they train.

- `command`: `cmtp eval`. `local`: labelled data in local files. `tasks`: local data as mteb's tasks. `hub`: C-MTEB.
- `probe`: `cmtp probe`, how much a small encoder learns from a build. `overlap`: copies of held-out texts.
- `ablation`: what each part of a pipeline is worth, with `negatives` and `cpack`.

The held-out documents are in `cmtp.shards.held_out`, measures and baselines in `cmtp.scoring`. The trainer,
`cmtp.train`, never imports this package. Scores on local sets are never called C-MTEB.
"""
