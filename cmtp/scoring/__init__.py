"""Scores of rankings, and of the baselines that a model is compared with.

- `measures`: nDCG, recall, paired bootstrap intervals.
- `baselines`: BM25 and static-zh on a retrieval task.

The trainer and the evaluation both score with them. The documents that are searched come from `cmtp.shards.held_out`.
Nothing here trains or opens a model.
"""
