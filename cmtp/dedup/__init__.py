"""Exact and near duplicates among pairs, and which copy stays.

`stage` plans the tasks; `exact`, `near`, `verify` and `verdicts` hold what they do; `kernel` and `jaccard` are the
numba kernels; `layout` and `exchange` are how rows are regrouped by key in bounded memory; `policy` is the order of
copies. The comparison form lives in `cmtp.text.compare`. Nothing here judges a text by its quality.
"""
