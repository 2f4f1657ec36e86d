"""The trie of the vocabulary, as one hash table of edges: built here, walked by `kernel.next_node`."""

import numpy as np

from cmtp.kernels.jit import kernel

EDGE_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""2^64 / golden ratio (Knuth's multiplicative hashing): an edge is looked for from slot key × this >> 64 − bits on."""


@kernel
def build_trie(letters: np.ndarray, starts: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put words into a trie whose edges lie in one open-addressing hash table.

    `letters` int32: the codes of all words, one after another; word w is `letters[starts[w]:starts[w + 1]]`.
    Returns `root` int32[65536] (first code → node, 0 none), `edges` uint64[2^bits]
    (node 21 bits | code 18 bits | next node 21 bits, 0 empty) and `word_at` int32[nodes] (word ending there, −1 none).
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
            at = np.int64((key * EDGE_MULTIPLIER) >> shift)
            while edges[at] != 0 and (edges[at] >> np.uint64(21)) != key:
                at = (at + 1) & mask
            if edges[at] == 0:
                edges[at] = (key << np.uint64(21)) | np.uint64(n_nodes)
                n_nodes += 1
            node = np.int64(edges[at] & np.uint64(0x1FFFFF))
        word_at[node] = w
    return root, edges, word_at[:n_nodes].copy()
