"""Documents to pairs, one small file per relation, and the stage that runs them.

Each relation's file takes a Document of a known structure and yields Pairs. Files are opened in `sources`; what a pair
is worth is decided later, in `filters` and `similarity`.
"""
