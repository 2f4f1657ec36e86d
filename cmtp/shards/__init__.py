"""The final tables: writing them in seeded order, the manifest, the card, verifying and reading them.

Decides nothing about rows: what is kept was decided by the stages before.
"""
