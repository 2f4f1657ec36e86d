"""How good is an embedding, and how good is a build to train one on.

Here live held-out documents (`heldout`), training texts that copy them (`overlap`), ranking measures and paired
bootstrap intervals (`measures`), the rows beside a model (`baselines`), labelled sentence pairs in local files
(`local`), C-MTEB through mteb (`hub`), the probe of a build (`probe`) and the ablation of a pipeline (`ablation`).
Training of the bundled models does not live here. Scores on local sets are never called C-MTEB.
"""
