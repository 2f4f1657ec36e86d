"""How good is an embedding, and how good is a build to train one on.

Here live `cmtp eval` (`command`), labelled data in local files (`local`), both as mteb's tasks (`tasks`), C-MTEB
through mteb (`hub`), the probe of a build (`probe`), training texts that copy a held-out text (`overlap`), and the
ablation of a pipeline (`ablation`, with `negatives` and `cpack`). The held-out documents are in `cmtp.shards.held_out`,
measures and baselines in `cmtp.scoring`, the trainer in `cmtp.train`, which never imports this package. Scores on local
sets are never called C-MTEB.
"""
