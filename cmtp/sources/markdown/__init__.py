"""Markdown to Article: blocks, inline markup, credits and navigation, and the article made of what is left.

Not a renderer: what a reader of the page would take for text is kept, the rest is dropped. Code blocks of up to two
lines stay (a command is part of the sentence before it), longer ones do not.
"""
