"""Which pairs are junk, malicious or private: rules as data, evidence for every verdict.

Here live::

    screen, stage           what the engine runs: verdicts are recorded before dedup, and written as rejects after it
    pair_filter             the filter of a build, ready to judge any table
    rule, rules, book       what a junk rule is; the table of them; the table under a recipe's settings
    verdict                 every rule that fires on a pair, and which of them names the reason
    counts, measure,        what junk rules measure: counts of characters (numba kernels),
      repetition, phrases     and fixed phrases and placeholders
    malicious, lexicon,     the score of the malicious categories: the word lists in lexicons/ over folded text (fold),
      contact, offer, fold    raised by contacts and offers
    private                 private data: found and masked
    learned, labelled,      the score that a user trains on labelled texts: the model, its texts,
      train, scores           the training, how good it is

A rule sees one pair and no other row. Duplicates belong to `dedup`; whether a passage belongs to its query, to
`similarity`.
"""
