"""Scores pairs by the cosine of query and passage and keeps those above a threshold.

`encode` writes vectors, `score` records which pairs the cut takes, and after dedup `stage` writes them as rejects.
Encoders live in cmtp.encoders; a threshold belongs to an encoder.
"""
