"""The final tables: writing them in seeded order, the manifest, the card, holding out, verifying, reading, exporting.

This package makes one decision about rows: which documents are held out (`eval_stage`). The stages before it have made
all others. The shard stage (`stage`) writes each table in the order of a hash of its ids (`order`):

    partitions of a table ── scatter, a task per partition ──► runs/TABLE/part-00000.parquet
                                                                sorted by key, a row group per range of keys
                                                               runs/TABLE/part-00000.parquet.json
                                                                the range of each row group
    runs ── merge, a task per range of keys ──► tables/TABLE/part-00000.parquet
                                                 range 0 of all runs, sorted by key and whole id

The number of ranges is computed from the table's uncompressed size and `shard.shard_bytes`. pretrain/ has steps of its
own before these, which filter the documents' texts and find copies (`pretrain`); its key is the doc_id. Then `publish`
moves the tables into the output folder, with the card (`card`) and, last, the manifest (`manifest`). `verify` checks
the result from its bytes, `read` shows rows of it, `held_out` reads what was held out, `export` writes other trainers'
formats. `groups` has the files that scatter and merge share.
"""
