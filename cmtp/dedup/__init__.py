"""Exact and near duplicates among pairs, and which copy stays. Nothing here judges a text by its quality.

Dedup is an exchange stage: rows that may be copies of each other lie in different partitions, so small keyed rows go
out, are compared one key range at a time in bounded memory, and verdicts come home. An arrow is a set of files, named
as the method of `layout.Layout` that gives them; in brackets stands what the receiving task is chosen by.

::

    partition ─ keys.send_keys ──── keys (pair hash) ──────► exact.decide_pairs       rejects copies of a pair
                  │ rejects rows    survivors (query hash) ► exact.decide_queries     rejects beyond max_per_query
                  │ that need no         │
                  │ other row       near "query", if asked for, as below
                  │                      │
                  │                 survivors (passage hash) exact.decide_passages    rejects beyond max_per_passage
                  │                      │
                  │                 near "passage"
                  │
                  └─ bands (band hash) ► candidates.match_bands ─ edges ► group.group_edges      decides nothing
                     sketches, order       leaves out the rows that        │ members, batches
                     (partition)           `rejected` marks                ▼
                                                            partition ─ group.gather_texts
                                                                           │ texts (slot), batch_edges (batch)
                                                                           ▼
                                                                        verify.verify_batch      rejects near copies

    every task that rejects ─ verdicts (partition) ► final.resolve_verdicts      a copy of a copy points to what stayed
                                                       │ resolved_verdicts (partition)
                                                       ▼
                                        partition ─ final.split_partition ► kept/, rejects/

Which rows are compared: those that pass the filter's rules, which the screen stage has applied before. The others pass
dedup. A row that the similarity cut takes (the score stage says so) ranks behind all that it leaves.

Who decides: each row is rejected by at most one task, the first in the order from top to bottom that sees a reason. A
row that was rejected goes no further, and no later verdict rests on it. Among copies the policy decides
(`policy.ranks`), never the order of arrival. Rows of older releases take part and are never rejected.

What a row of each set of files holds stands in `records` and `verdicts`. How files are cut and read is `exchange`. The
kernels are in `minhash`, `components`, `jaccard`, `amounts` and `index`. The comparison form, n-grams and hashes of
texts are in `cmtp.text`, hash tables and sets in `cmtp.kernels`.
"""
