"""Functions on Chinese strings. Nothing here opens a user's corpus, knows a stage or decides which rows are kept.

- `clean`, `passages`: text as it is read and cut.
- `compare`: the comparison form. `script`: traditional and simplified. `frequent`: the most frequent characters.
- `words`: word segmentation. `bm25`: texts searched by their words.
- `hashes`, `ngrams`: texts as 128-bit hashes and as sets of character n-grams.
- `buffers`, `utf8`: string columns as arrays and their bytes as code points, for kernels.
"""
