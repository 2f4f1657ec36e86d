"""Which pairs are junk, malicious or private: rules as data, one pass over the columns, evidence for every verdict.

`rule` says what a junk rule is, `rules` is their table (names, thresholds, where they come from) and `book` the table
under a recipe's settings. `measure` counts characters, `phrases` finds fixed phrases, `malicious` scores the word lists
in `lexicons/` over text folded by `fold` with what `contact` finds in it, `learned` scores with a model that `train`
made from a user's labels, `private` finds and masks private data, `verdict` puts them together and `stage` is what the
engine runs. A rule sees one pair and never another row: duplicates belong to `dedup`, and whether a passage belongs to
its query to `similarity`.
"""
