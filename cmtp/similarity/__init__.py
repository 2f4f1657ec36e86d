"""Scores pairs by the cosine of query and passage and keeps those above a threshold.

Encoders live in cmtp.encoders; a threshold belongs to an encoder.
"""
