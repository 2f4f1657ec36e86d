"""Scores pairs by the cosine of query and passage and keeps those above a threshold.

Encoders live in cmtp.embed; a threshold belongs to an encoder.
"""
