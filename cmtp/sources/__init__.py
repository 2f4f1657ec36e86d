"""Raw bytes to documents with a known structure: one reader per format, compression, archives, encodings, layouts.

`discover` finds the files, `read` reads one of them (or a byte range) into Documents and Broken records. Which pairs a
document gives is decided in `extract`; whether they are any good, in `filters`.
"""
