"""cmtp builds training data for Chinese text-embedding models from raw text."""
