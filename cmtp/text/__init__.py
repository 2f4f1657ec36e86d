"""Pure functions over columns of text: the comparison form, script, normalisation.

Nothing here opens a file, knows a stage or decides what is kept.
"""
