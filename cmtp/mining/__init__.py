"""Hard negatives: which pairs become finetune rows, the search for near misses, and the control of false negatives.

Nothing is rejected here: the finetune table is made from pairs that stay where they are.
"""
