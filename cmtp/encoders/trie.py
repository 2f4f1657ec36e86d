"""The vocabulary as a trie with all edges in one hash table: `build_trie` makes it, `next_node` follows an edge."""

import numpy as np

from cmtp.kernels.jit import inlined, kernel
from cmtp.kernels.tables import find_entry

CODE_BITS = np.uint64(18)
NODE_BITS = np.uint64(21)
"""An edge is a number: the node it leaves, the code, the node it leads to (21, 18 and 21 bits)."""

_NODE = np.uint64((1 << 21) - 1)


@kernel
def build_trie(letters: np.ndarray, starts: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put words into a trie with all edges in one open-addressing hash table.

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
            key = _edge_key(node, c)
            slot = find_entry(edges, shift, key, NODE_BITS)
            if edges[slot] == 0:
                edges[slot] = (key << NODE_BITS) | np.uint64(n_nodes)
                n_nodes += 1
            node = np.int64(edges[slot] & _NODE)
        word_at[node] = w
    return root, edges, word_at[:n_nodes].copy()


@kernel
def next_node(edges: np.ndarray, shift: np.uint64, node: np.int64, code: int) -> np.int64:
    """The node that `code` leads to from `node`, 0 if there is none."""
    return np.int64(edges[find_entry(edges, shift, _edge_key(node, code), NODE_BITS)] & _NODE)


@inlined
def _edge_key(node: np.int64, code: int) -> np.uint64:
    return (np.uint64(node) << CODE_BITS) | np.uint64(code)
