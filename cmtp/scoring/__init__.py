"""How a ranking is measured, and what stands beside a model that is measured.

Here live ranking measures with paired bootstrap intervals (`measures`) and the baselines of a retrieval task, BM25 and
static-zh (`baselines`). The trainer and the evaluation both score with them. The documents that are searched come from
`cmtp.shards.held_out`; nothing here trains or opens a model.
"""
