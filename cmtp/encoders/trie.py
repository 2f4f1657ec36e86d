"""The vocabulary as a trie whose edges lie in one hash table. Built here, walked by `kernel.next_node`."""

import numpy as np

from cmtp.kernels.jit import kernel

EDGE_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""2^64 / golden ratio (Knuth's multiplicative hashing). An edge lies at slot key × this >> 64 − bits or after it."""


@kernel
def build_trie(letters: np.ndarray, starts: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put words into a trie whose edges lie in one open-addressing hash table.

    Args:
        letters: int32, the codes of all words, one after another.
        starts: int64 [words + 1]; word w is `letters[starts[w]:starts[w + 1]]`.
        bits: the table has 2^bits slots.

    Returns:
        `root` int32 [65536], first code → node, 0 where there is none; `edges` uint64 [2^bits], each of node (21 bits),
        code (18 bits) and next node (21 bits), 0 where a slot is empty; `word_at` int32 [nodes], the word that ends at
        a node, −1 where none does.
    """
    root = np.zeros(65536, np.int32)
    edges = np.zeros(1 << bits, np.uint64)
    word_at = np.full(letters.size + 1, -1, np.int32)
    n_nodes = 1
    shift = np.uint64(64 - bits)
    mask = (1 << bits) - 1
    for w in range(starts.size - 1):
        node = np.int64(0)
        for k in range(starts[w], starts[w + 1]):
            c = letters[k]
            if k == starts[w]:
                if root[c] == 0:
                    root[c] = n_nodes
                    n_nodes += 1
                node = root[c]
                continue
            key = (np.uint64(node) << np.uint64(18)) | np.uint64(c)
            slot = np.int64((key * EDGE_MULTIPLIER) >> shift)
            while edges[slot] != 0 and (edges[slot] >> np.uint64(21)) != key:
                slot = (slot + 1) & mask
            if edges[slot] == 0:
                edges[slot] = (key << np.uint64(21)) | np.uint64(n_nodes)
                n_nodes += 1
            node = np.int64(edges[slot] & np.uint64(0x1FFFFF))
        word_at[node] = w
    return root, edges, word_at[:n_nodes].copy()
